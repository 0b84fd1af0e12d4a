"""/openapi.json: a valid description of every endpoint, and what the endpoints answer is as it says."""

import json
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
