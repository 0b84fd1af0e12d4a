"""/openapi.json: a valid description of every endpoint, and what the endpoints answer is as it says."""

import json
from html import escape
from typing import Any

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.support.ingest_rig import Rig, usage

from outlay_ingest.domain.endpoints import ENDPOINTS


async def served(rig: Rig) -> dict[str, Any]:
    answer = await rig.client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    found: dict[str, Any] = answer.json()
    return found


async def test_it_is_valid_and_names_every_endpoint(rig: Rig) -> None:
    document = await served(rig)
    OpenAPIV31SpecValidator(document).validate()
    assert set(document["paths"]) == {endpoint.path for endpoint in ENDPOINTS}
    for endpoint in ENDPOINTS:
        assert set(document["paths"][endpoint.path]["post"]["requestBody"]["content"]) == set(endpoint.media)


async def test_answers_are_as_described(rig: Rig) -> None:
    document = await served(rig)

    def check(name: str, answer: Any) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer)

    check("Outcome", (await rig.post([usage(), {}])).json())
    for body in (b"[", json.dumps([{}]).encode()):
        answer = await rig.post(body)
        check("Problem", answer.json())
        assert str(answer.status_code) in document["paths"]["/v1/events"]["post"]["responses"]
    rig.key = "nonsense"
    check("Problem", (await rig.post(usage())).json())


async def test_its_example_is_accepted(rig: Rig) -> None:
    content = (await served(rig))["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    answer = await rig.post(content["application/json"]["example"])
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": 0})


async def test_the_page_for_people_names_every_operation_field_and_answer(rig: Rig) -> None:
    document = await served(rig)
    page = (await rig.client.get("/docs")).text
    assert (await rig.client.get("/docs.css")).headers["content-type"].startswith("text/css")
    assert "<script" not in page
    for path, methods in document["paths"].items():
        operation = methods["post"]
        assert f'<section id="{operation["operationId"]}"><h2>{escape(operation["summary"])}</h2>' in page
        assert f"<code>POST {path}</code>" in page
        assert all(f"<code>{status}</code>" in page for status in operation["responses"])
    for name, schema in document["components"]["schemas"].items():
        assert f'<section id="{name}">' in page
        assert all(f"<code>{field}" in page for field in schema.get("properties", {}))
    assert "&quot;claude-sonnet-4-5&quot;" in page
