"""What a workflow of Teams is sent, held against the public schema of Adaptive Cards and against Teams' own limit."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.alerts import REVIEW, alert, notification, of, of_review
from tests.support.channel_messages import CASES, check_teams
from tests.support.receiver import receiving

from outlay_alerter.notify.channels.teams import Teams, card, plain, teams_review
from outlay_alerter.notify.http_post import HttpPoster, read_networks
from outlay_schemas.alerts import Alert, Contributor
from outlay_schemas.money import Usd

POSTER = HttpPoster(read_networks("127.0.0.0/8"), 5)


def texts(body: dict[str, Any]) -> list[str]:
    elements = body["attachments"][0]["content"]["body"]
    inner = [item for element in elements for item in [element, *element.get("items", [])]]
    return [item["text"] for item in inner if "text" in item]


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_message_is_a_card_of_the_schema(name: str) -> None:
    check_teams(card(CASES[name]))


def test_the_schema_notices_what_is_wrong() -> None:
    body: Any = card([alert()])
    body["attachments"][0]["content"]["body"][1]["wieght"] = "bolder"
    with pytest.raises(AssertionError):
        check_teams(body)


def test_a_review_is_a_card_of_the_schema() -> None:
    body = teams_review(REVIEW)
    check_teams(body)
    assert texts(body)[0] == "AI costs in the week of 2026-11-16"


names = st.text(min_size=0, max_size=500)


@given(names, names, names)
def test_whatever_names_there_are_a_card_is_valid_and_small(title: str, value: str, scope: str) -> None:
    made: Alert = alert(
        title=title, summary=value * 20, scope={"team": scope}, facts={f"f{n}": value for n in range(12)},
        contributors=[Contributor("user", value, Usd("1")) for _ in range(9)], link="https://o.example/a",
    )  # fmt: skip
    check_teams(card([made]))
    check_teams(card([made] * 200))


def test_what_strangers_name_is_no_markup() -> None:
    said = card([alert(title="[click](https://evil.example) **now** {{DATE(x)}}")])
    assert texts(said)[0] == r"\[click\](https://evil.example) \*\*now\*\* { {DATE(x)}}"
    assert plain("<at>all</at>") == "&lt;at>all&lt;/at>"


def test_it_arrives_and_a_workflow_that_was_deleted_is_gone() -> None:
    with receiving() as receiver:
        receiver.script = [(202, {}, b"")]
        assert Teams("ops", receiver.url, POSTER).send(notification()).outcome == "sent"
        receiver.script = [(404, {}, b'{"error":{"code":"WorkflowNotFound"}}')]
        assert Teams("ops", receiver.url, POSTER).send(of(alert(), alert("a2"))).outcome == "disabled"
        receiver.answer(429, retry_after="7")
        slow = Teams("ops", receiver.url, POSTER).send(of_review())
    assert (slow.outcome, slow.retry_after) == ("retry", 7.0)
    for got in receiver.got:
        check_teams(json.loads(got.body))
