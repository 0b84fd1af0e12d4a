"""What Slack is sent: golden files, its limits, and no markup of strangers. `OUTLAY_GOLDEN=write` renews the files."""

import json
import os
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.alerts import REVIEW, alert, notification
from tests.support.channel_messages import CASES, check_slack
from tests.support.receiver import receiving

from outlay_alerter.notify.channels.slack import Slack, message, slack_review
from outlay_alerter.notify.http_post import HttpPoster, read_networks
from outlay_alerter.notify.notification import Point
from outlay_schemas.alerts import Alert, Contributor
from outlay_schemas.money import Usd

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(("name", "interactive"), [*((name, False) for name in CASES), ("one", True)])
def test_a_message_looks_as_it_was_reviewed(name: str, interactive: bool) -> None:
    written = json.dumps(message(CASES[name], interactive=interactive), indent=1, ensure_ascii=False) + "\n"
    file = GOLDEN / f"slack-{name}{'-buttons' if interactive else ''}.json"
    if os.environ.get("OUTLAY_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(written)
    assert written == file.read_text()


@pytest.mark.parametrize("name", CASES)
def test_only_one_firing_incident_has_buttons_that_act(name: str) -> None:
    body = message(CASES[name], interactive=True)
    check_slack(body)
    acting = re.findall(r'"action_id": "(\w+)"', json.dumps(body))
    fires = name not in ("resolved", "group", "storm")
    assert acting == (["outlay_acknowledge", "outlay_snooze_1h", "outlay_snooze_24h"] if fires else [])
    if not fires:
        assert body == message(CASES[name])


@pytest.mark.parametrize("changes", [{"state": "acknowledged"}, {"state": "resolved"}, {"backfill": True}])
def test_an_alert_that_needs_no_one_has_no_buttons_that_act(changes: dict[str, object]) -> None:
    assert "action_id" not in json.dumps(
        message([msgspec.structs.replace(alert(), **changes)], interactive=True)
    )


def test_the_value_of_a_button_fits_or_there_is_none() -> None:
    body = message([alert(tenant="t" * 1900)], interactive=True)
    check_slack(body)
    assert "action_id" in json.dumps(body)
    assert "action_id" not in json.dumps(message([alert(tenant="t" * 2000)], interactive=True))


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
    body = message(many, interactive=True)
    check_slack(body)
    texts = json.dumps([b for b in body["blocks"] if b["type"] != "header"])  # type: ignore[attr-defined]
    assert "<" not in re.sub(r"<!date\^\d+\^\{date_short_pretty\} at \{time\}\|[\d: UTC-]+>", "", texts)


def test_a_review_holds_the_limits_too() -> None:
    check_slack(slack_review(REVIEW))
    long = Point("h" * 500, ["<!channel> & " * 200] * 50)
    check_slack(slack_review(msgspec.structs.replace(REVIEW, title="t" * 900, points=[long] * 3)))


def test_a_storm_of_a_thousand_is_one_message() -> None:
    body = message(CASES["storm"])
    check_slack(body)
    assert "and 975 more" in json.dumps(body)


def test_slack_gets_json_and_its_answers_are_followed() -> None:
    poster = HttpPoster(read_networks("127.0.0.0/8"), 5)
    with receiving() as receiver:
        slack = Slack("slack", receiver.url, poster)
        receiver.script = [(200, {}, b"ok")]
        assert slack.send(notification()).outcome == "sent"
        check_slack(json.loads(receiver.got[0].body))
        receiver.answer(429, retry_after="30")
        assert slack.send(notification()).retry_after == 30
        receiver.script = [(400, {}, b"invalid_blocks")]
        assert slack.send(notification()).reason == "answered 400: invalid_blocks"
        for status in (403, 404, 410):
            receiver.answer(status)
            assert slack.send(notification()).outcome == "disabled"
