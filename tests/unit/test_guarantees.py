"""docs/guarantees.md names tests; each of them exists, and each promise has one."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_a_promise_names_exists() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", text))
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert named - written == set()
    rows = re.findall(r"^\| (P\d+) \|.*`test_\w+`", text, re.MULTILINE)
    assert rows == [f"P{n}" for n in range(1, 20)]
