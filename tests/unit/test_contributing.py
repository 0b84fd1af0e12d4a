"""docs/contributing.md: its files exist, and its code is a channel and a meter that work."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.support.alerts import alert, of
from tests.support.pages import pages

from outlay_alerter.notify.http_post import HttpPoster
from outlay_ingest.domain import extract, usage_fields
from outlay_kit.errors import Retryable
from outlay_kit.problems import Problem
from outlay_schemas.errors import Invalid

ROOT = Path(__file__).parents[2]
PAGE = pages("contributing")
METER, SCHEMA, CHANNEL = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_every_file_that_the_page_names_exists() -> None:
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_.]*)`", PAGE)
    assert len(named) > 12
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_examples_meter_is_read_from_a_response(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17, "thinking_audio_tokens": 3}
    response = {"id": "1", "object": "chat.completion", "model": "gpt-5", "usage": usage}
    assert "thinking_audio_tokens" in extract.extract(response, "openai")[0].context["unread_usage"]
    monkeypatch.setattr(usage_fields, "METERS", dict(usage_fields.METERS))
    exec(METER, {"METERS": usage_fields.METERS})  # noqa: S102 (the page's own example)
    monkeypatch.setattr(extract, "METERS", usage_fields.METERS)
    [found] = extract.extract(response, "openai")
    assert found.usage["output_audio_tokens"] == 3
    assert "unread_usage" not in found.context


def test_the_examples_channel_renders_an_alert() -> None:
    defined: dict[str, Any] = {"__name__": "example"}
    exec(SCHEMA + CHANNEL, defined)  # noqa: S102
    kind, spec = defined["KIND"], defined["NtfyChannel"]
    of_catalog = spec.model_validate(
        {"id": "phone", "type": "ntfy", "url": "${env:OUTLAY_CHANNEL_NTFY}", "topic": "ai-cost"}
    )
    made = of_catalog.model_copy(update={"url": "https://ntfy.example"})
    context = type("Context", (), {"poster": HttpPoster()})()
    sent = kind.build(made, context).render(of(alert(title="Growth budget: 80% used ($80.00 of $100.00)")))
    assert (sent["topic"], sent["title"]) == ("ai-cost", "Growth budget: 80% used ($80.00 of $100.00)")


def test_the_exceptions_of_the_page_are_independent_classes() -> None:
    tree = re.findall(r"[├└]── (\w+)", PAGE)
    assert {"Invalid", "Retryable", "Problem", "AskError", "CommandError", "StackError"} == set(tree)
    for one in (Invalid, Retryable, Problem):
        assert one.__bases__ == (Exception,)


def test_the_glossary_names_files_and_tables_that_exist() -> None:
    rows = [line.split("|") for line in pages("glossary").splitlines() if line.startswith("| **")]
    where = " ".join(row[3] for row in rows)
    assert len(rows) <= 60
    paths = re.findall(r"`((?:[a-z_]+/)+[a-z_.]*)`", where)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    tables = set(re.findall(r"tables? `(\w+)`|`(rollup_\w+)`|^ `(\w+)` $", where))
    sql = "\n".join(path.read_text() for path in (ROOT / "schemas/outlay_schemas/sql").glob("*.sql"))
    assert tables
    assert [name for group in tables for name in group if name and name not in sql] == []
