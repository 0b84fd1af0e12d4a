"""schemas/ holds the contracts as documents: as the code has them, and as the code judges."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from outlay_schemas import topics
from outlay_schemas.documents import files, schemas
from outlay_schemas.errors import Invalid
from outlay_schemas.events import usage_event_decoder
from outlay_schemas.validate import check_usage_event

FOLDER = Path(__file__).parents[3] / "schemas"
EVENT: dict[str, Any] = {
    "id": "1", "source": "s", "time": "2026-11-24T01:02:03Z", "kind": "llm", "sku": "m", "usage": {"input_tokens": 1},
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(files()))
def test_documents_are_as_the_code_has_them(path: str) -> None:
    assert (FOLDER / path).read_text() == files()[path], "the contracts changed; run: make schemas"


def test_there_are_no_others() -> None:
    assert {f"json/{path.name}" for path in (FOLDER / "json").iterdir()} | {"asyncapi.json"} == set(files())


@pytest.mark.parametrize("name", sorted(schemas()))
def test_each_is_a_json_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


@pytest.mark.parametrize("name", sorted(schemas()))
def test_each_has_an_id_a_title_and_an_example_that_is_valid(name: str) -> None:
    schema = schemas()[name]
    assert schema["$id"] == f"urn:outlay:schema:{name}"
    assert schema["title"]
    assert schema["description"]
    (example,) = schema["examples"]
    jsonschema.Draft202012Validator(schema).validate(example)


def test_the_example_of_a_usage_event_is_accepted() -> None:
    (example,) = schemas()["usage-event"]["examples"]
    check_usage_event(usage_event_decoder.decode(json.dumps(example)))


@pytest.mark.parametrize(
    "change",
    [
        {}, {"usage": {"gb": "1.5"}}, {"usage": {"gb": 1.5}}, {"reported_cost": "0.1"}, {"tags": {"a": "b"}},
        {"team": None}, {"usage": {}}, {"usage": {"Bad": 1}}, {"usage": {"a": -1}}, {"usage": {"a": 10**16}},
        {"usage": {"a": "x"}}, {"kind": "other"}, {"id": ""}, {"id": "x" * 257}, {"colour": "blue"}, {"sku": None},
        {"tags": {str(n): "" for n in range(65)}}, {"reported_cost": -1}, {"usage": {f"m{n}": 1 for n in range(65)}},
    ],
)  # fmt: skip
def test_the_schema_judges_an_event_as_the_code_does(change: dict[str, Any]) -> None:
    event = {**EVENT, **change}
    by_schema = jsonschema.Draft202012Validator(schemas()["usage-event"]).is_valid(event)
    try:
        check_usage_event(usage_event_decoder.decode(json.dumps(event)))
        by_code = True
    except (ValueError, Invalid):
        by_code = False
    assert by_schema == by_code


def test_asyncapi_names_every_topic_that_others_may_read() -> None:
    document = json.loads(files()["asyncapi.json"])
    assert {channel["address"] for channel in document["channels"].values()} == {
        topic.name for topic in topics.ALL if topic not in topics.INTERNAL
    }
    for message in document["components"]["messages"].values():
        assert (FOLDER / message["payload"]["schema"]["$ref"]).is_file()
