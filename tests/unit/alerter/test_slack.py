"""What Slack is sent: golden files, its limits, and no markup of strangers. `OUTLAY_GOLDEN=write` renews the files."""

import json
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block
from tests.unit.alerter.alerts import REVIEW, alert, notification
from tests.unit.alerter.receiver import receiving

from outlay_alerter.digests.message import Point
from outlay_alerter.notify.channels.slack import Slack, message, slack_review
from outlay_alerter.notify.http_post import HttpPoster, read_networks
from outlay_schemas.alerts import Alert, Contributor, Effect
from outlay_schemas.money import Usd

GOLDEN = Path(__file__).parent / "golden"

FULL = alert(
    title="Spend spike: project assistant, sku claude-sonnet-4-5 at $42.10 a minute, 9.4 times as usual",
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
    "resolved": [alert(state="resolved", count=0, expected=None, scope={})],
    "ratio": [alert(unit="USD per request", actual=Usd("0.0421"), expected=Usd("0.02"), count=0)],
    "group": [
        FULL, alert("a2", severity="info"), alert("a3", state="resolved", rule="other"),
        alert("a4", state="acknowledged"),
    ],
    "storm": [alert(f"a{n:04d}", actual=Usd(str(n))) for n in range(1000)],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_message_looks_as_it_was_reviewed(name: str) -> None:
    written = json.dumps(message(CASES[name]), indent=1, ensure_ascii=False) + "\n"
    file = GOLDEN / f"slack-{name}.json"
    if os.environ.get("OUTLAY_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(written)
    assert written == file.read_text()


def check(body: dict[str, Any]) -> None:
    """Hold a message against the documented limits."""
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


words = st.text(max_size=3500) | st.sampled_from(["<!channel>", "&<>" * 900, "x" * 9000])


@given(words, words, words, words, st.integers(0, 12), st.integers(1, 60))
def test_whatever_is_in_an_alert_the_limits_hold(
    title: str, summary: str, value: str, fact: str, facts: int, count: int
) -> None:
    contributors = [Contributor(d, value, Usd("1")) for d in ("team", "user", "sku") for _ in range(3)]
    one = alert(
        title=title, summary=summary, scope={"team": value}, facts={f"{fact}{n}": fact for n in range(facts)}
    )
    many = [
        Alert(**{**{f: getattr(one, f) for f in one.__struct_fields__}, "contributors": contributors})
    ] * count
    body = message(many)
    check(body)
    texts = json.dumps([b for b in body["blocks"] if b["type"] != "header"])  # type: ignore[attr-defined]
    assert "<" not in re.sub(r"<!date\^\d+\^\{date_short_pretty\} at \{time\}\|[\d: UTC-]+>", "", texts)


def test_a_review_holds_the_limits_too() -> None:
    check(slack_review(REVIEW))
    long = Point("h" * 500, ["<!channel> & " * 200] * 50)
    check(slack_review(msgspec.structs.replace(REVIEW, title="t" * 900, points=[long] * 3)))


def test_a_storm_of_a_thousand_is_one_message() -> None:
    body = message(CASES["storm"])
    check(body)
    assert "and 975 more" in json.dumps(body)


def test_slack_is_sent_json_and_what_it_says_is_heeded() -> None:
    poster = HttpPoster(read_networks("127.0.0.0/8"), 5)
    with receiving() as receiver:
        slack = Slack("slack", receiver.url, poster)
        receiver.script = [(200, {}, b"ok")]
        assert slack.send(notification()).outcome == "sent"
        check(json.loads(receiver.got[0].body))
        receiver.answer(429, retry_after="30")
        assert slack.send(notification()).retry_after == 30
        receiver.script = [(400, {}, b"invalid_blocks")]
        assert slack.send(notification()).reason == "answered 400: invalid_blocks"
        for status in (403, 404, 410):
            receiver.answer(status)
            assert slack.send(notification()).outcome == "disabled"
