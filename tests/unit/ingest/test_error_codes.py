"""docs/errors.md names every code that the code can tell, and no other."""

import ast
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

ROOT = Path(__file__).parents[3]
PLACES = {"Invalid": 0, "Problem": 1, "BadLine": 2}
"""Constructors of refusals, and which argument is the code."""
FROM_VARIABLES = {
    "gzip", "zstd", "key_missing", "key_unknown", "rate_limited", "quota_exceeded", "price_data_invalid",
}  # fmt: skip
"""Codes that are variables where they are raised: body.py, http.py, kit/problems.py, list_price.py."""
ROUTER = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}


def codes_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Yield) and isinstance(
            node.value, ast.Tuple
        ):  # what is wrong: code, message, path
            code = node.value.elts[0]
            if (
                len(node.value.elts) == 3
                and isinstance(code, ast.Constant)
                and str(code.value).isidentifier()
            ):
                yield str(code.value)
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        place = PLACES.get(name)
        if place is not None and len(node.args) > place:
            code = node.args[place]
            if isinstance(code, ast.Constant) and isinstance(code.value, str):
                yield code.value


def reported() -> set[str]:
    folders = [ROOT / "services", ROOT / "schemas", ROOT / "kit"]
    found = {code for folder in folders for path in folder.rglob("*.py") for code in codes_in(path)}
    return found | FROM_VARIABLES | {status.phrase.lower().replace(" ", "_") for status in ROUTER}


def documented(heading: str | None = None) -> set[str]:
    page = (ROOT / "docs" / "errors.md").read_text()
    if heading is not None:
        page = page.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    first_cells = re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE)
    return {code for cell in first_cells for code in re.findall(r"`([a-z0-9_]+)`", cell)}


def test_every_code_is_in_the_table() -> None:
    assert reported() - documented() == set()


def test_the_table_holds_no_code_that_nothing_tells() -> None:
    alive = reported() | documented("Why an event is unpriced")
    assert documented() - alive == set()


def test_reasons_without_a_price_are_said_by_the_pricer() -> None:
    source = "".join(path.read_text() for path in (ROOT / "services/pricer").rglob("*.py"))
    for reason in documented("Why an event is unpriced"):
        assert f'"{reason}"' in source, reason
