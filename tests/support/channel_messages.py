"""Messages of every kind for channels, and checks against the limits and schemas that Slack and Teams document."""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonschema import Draft6Validator
from slack_sdk.models.blocks import Block
from tests.support.alerts import alert

from outlay_schemas.alerts import Contributor, Effect
from outlay_schemas.money import Usd

FULL = alert(
    title="Spend spike: project assistant, sku claude-sonnet-4-5 at $42.10 a minute, 9.4 times the usual",
    rule="spend-spike", rule_type="spend_spike", level="spike", severity="critical",
    scope={"project": "assistant", "sku": ["claude-sonnet-4-5", "claude-opus-4-5"]},
    expected=Usd("4.48"), actual=Usd("42.1"), impact=Usd("37.62"), impact_per_hour=Usd("2257.2"),
    effects=[Effect("volume", Usd("30.02")), Effect("price", Usd("0")), Effect("mix", Usd("7.6"))],
    compared="the minute before", facts={"events": "1204", "unpriced_events": "41"},
    link="https://outlay.example/alerts/a1",
    contributors=[
        Contributor("team", "growth", Usd("40.1")), Contributor("team", "", Usd("2")),
        Contributor("user", "u-17 <!channel> & co", Usd("39.99")), Contributor("use_case", "", Usd("42.1")),
    ],
)  # fmt: skip
CASES = {
    "one": [FULL],
    "budget": [alert()],
    "unpriced": [
        alert(
            title="Growth budget: 80% used (≥ $80.00 of $100.00)", unpriced=41, rate_per_hour=Usd("3"),
            rate_unpriced=1, contributors=[Contributor("sku", "gpt-5", Usd("60"), 40)], contributors_total=Usd("90"),
        ),
    ],
    "owned": [
        alert(
            runbook="https://wiki.example/budgets", owner="Team Growth", mention=["S0123ABC", "U0456DEF", "here"],
        ),
    ],
    "resolved": [alert(state="resolved", count=0, expected=None, scope={})],
    "ratio": [alert(unit="USD per request", actual=Usd("0.0421"), expected=Usd("0.02"), count=0)],
    "group": [
        FULL, alert("a2", severity="info"), alert("a3", state="resolved", rule="other"),
        alert("a4", state="acknowledged"),
    ],
    "storm": [alert(f"a{n:04d}", actual=Usd(str(n))) for n in range(1000)],
}  # fmt: skip


def check_slack(body: dict[str, Any]) -> None:
    """Check a message against the limits of Slack."""
    assert body["text"]
    assert len(body["text"]) <= 4000
    assert 1 <= len(body["blocks"]) <= 50
    assert len(json.dumps(body["blocks"], ensure_ascii=False)) <= 13_200
    for made in Block.parse_all(body["blocks"]):
        made.validate_json()  # Slack's own limits
    for block in body["blocks"]:
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
            assert 1 <= len(block["text"]["text"]) <= 150
        elif block["type"] == "section":
            assert ("text" in block) != ("fields" in block)
            assert 1 <= len(block.get("text", {"text": "x"})["text"]) <= 3000
            assert len(block.get("fields", [])) <= 10
            assert all(len(field["text"]) <= 2000 for field in block.get("fields", []))
        elif block["type"] == "context":
            assert 1 <= len(block["elements"]) <= 10
        else:
            assert block["type"] == "actions"


@cache
def schema() -> Draft6Validator:
    """Return the published schema of the version that our cards state."""
    spec = find_spec("adaptive_cards")
    assert spec is not None
    assert spec.origin is not None
    return Draft6Validator(
        json.loads((Path(spec.origin).parent / "schemas" / "schema-1.4.json").read_text("utf-8"))
    )


def check_teams(body: dict[str, Any]) -> None:
    """Check a card against the schema and the limit of Teams."""
    (attachment,) = body["attachments"]
    assert (body["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert attachment["content"]["version"] == "1.4"
    errors = [error.message for error in schema().iter_errors(attachment["content"])]
    assert errors == []
    assert len(json.dumps(body, ensure_ascii=False).encode()) <= 28_000
