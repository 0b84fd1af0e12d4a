"""The OpenAPI document of the read API: valid, and about every report and parameter."""

from openapi_spec_validator import OpenAPIV31SpecValidator

from outlay_console.api import REPORTS
from outlay_console.openapi import document

DOCUMENT = document(tuple((name, known) for name, (_, known) in REPORTS.items()))


def test_it_is_valid_and_names_every_report_with_its_parameters() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    found = {
        path.removeprefix("/api/v1/reports/"): {one["name"] for one in methods["get"]["parameters"]}
        for path, methods in DOCUMENT["paths"].items()
    }
    assert found == {name: set(known) for name, (_, known) in REPORTS.items()}
