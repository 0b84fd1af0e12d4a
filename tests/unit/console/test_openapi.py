"""The OpenAPI document of the read API: valid, and about every report, path and parameter."""

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator

from outlay_console.api import REPORTS
from outlay_console.openapi import document
from outlay_console.price_api import MODEL, SEARCH

DOCUMENT = document(tuple((name, known) for name, (_, known) in REPORTS.items()))


def test_it_is_valid_and_names_every_path_with_its_parameters() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    found = {
        path.removeprefix("/api/v1/"): {one["name"] for one in methods["get"]["parameters"]}
        for path, methods in DOCUMENT["paths"].items()
    }
    reports = {f"reports/{name}": set(known) for name, (_, known) in REPORTS.items()}
    assert found == {**reports, "prices": set(SEARCH), "prices/model": set(MODEL)}


def test_its_examples_are_as_it_describes_them() -> None:
    contents = [
        methods["get"]["responses"]["200"]["content"]["application/json"]
        for path, methods in DOCUMENT["paths"].items()
        if "/prices" in path or path.endswith("/opportunities")
    ]
    assert len(contents) == 3
    for content in contents:
        jsonschema.validate(content["example"], {**content["schema"], "components": DOCUMENT["components"]})


def test_every_path_has_the_same_refusals() -> None:
    refusals = [
        {code: one for code, one in methods["get"]["responses"].items() if code != "200"}
        for methods in DOCUMENT["paths"].values()
    ]
    assert refusals.count(refusals[0]) == len(refusals)
    assert set(refusals[0]) == {"400", "401", "403", "404", "429", "503"}
