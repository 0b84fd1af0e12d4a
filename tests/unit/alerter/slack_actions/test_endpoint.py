"""`POST /slack/actions`: only what Slack signed is read, once, and only presses of our buttons do anything."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.support.slack_presses import (
    ACKNOWLEDGE,
    CHANNEL,
    DAY,
    SIGNING_SECRET,
    body_of,
    payload,
    signed,
    target,
)

from outlay_alerter.http_server import application
from outlay_alerter.slack_actions.http import MOST_BYTES, MOST_RUNNING, SlackActionsApi
from outlay_alerter.slack_actions.requests import Press, SignatureError, Verifier, read_presses
from outlay_kit.clock import FakeClock

NOW = datetime(2026, 12, 1, 3, 0, 0, 500_000, tzinfo=UTC)
OTHER_SECRET = "0" * 32


@dataclass
class Rig:
    client: TestClient
    clock: FakeClock
    presses: list[Press] = field(default_factory=list)

    def post(self, body: bytes, headers: dict[str, str] | None = None) -> Any:
        given = signed(body, self.clock.now()) if headers is None else headers
        return self.client.post("/slack/actions", content=body, headers=given)


def rig_of(*secrets: str) -> Rig:
    clock = FakeClock(NOW)
    presses: list[Press] = []
    api = SlackActionsApi(Verifier(secrets, clock), presses.append) if secrets else SlackActionsApi()
    client = TestClient(application(api.routes()), raise_server_exceptions=False)
    return Rig(client, clock, presses)


@pytest.fixture
def rig() -> Rig:
    return rig_of(SIGNING_SECRET)


BODY = body_of(payload(ACKNOWLEDGE, target("a1")))


def test_a_press_is_answered_empty_and_read_as_slack_documents_it(rig: Rig) -> None:
    answer = rig.post(BODY)
    assert (answer.status_code, answer.content) == (200, b"")
    (press,) = rig.presses
    assert (press.target.tenant, press.target.incident, press.button.action) == ("acme", "a1", "acknowledged")
    assert (press.actor, press.user, press.channel) == ("kim (slack:U0456DEF)", "U0456DEF", CHANNEL)
    assert (press.response_url, press.at) == (
        "https://hooks.slack.com/actions/T1/2/x",
        NOW.replace(microsecond=0),
    )


def test_the_example_that_slack_documents_has_its_signature() -> None:
    """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
        b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    at = datetime.fromtimestamp(1531420618, UTC)
    verifier = Verifier([SIGNING_SECRET], FakeClock(at))
    known = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert verifier.check(body, "1531420618", known) == at


def test_what_slack_did_not_sign_is_refused(rig: Rig) -> None:
    good = signed(BODY, NOW)
    stamp, signature = good["x-slack-request-timestamp"], good["x-slack-signature"]
    later = {**good, "x-slack-request-timestamp": str(int(stamp) + 1)}
    for body, headers in (
        (BODY, signed(BODY, NOW, OTHER_SECRET)),
        (BODY.replace(b"a1", b"a2"), good),
        (BODY, later),
        (BODY, {"x-slack-request-timestamp": stamp}),
        (BODY, {"x-slack-signature": signature}),
        (BODY, {}),
        (BODY, {**good, "x-slack-signature": signature.removeprefix("v0=")}),
        (BODY, {**good, "x-slack-signature": signature.upper()}),
        (b"\xff", signed(b"\xff", NOW)),
    ):
        answer = rig.post(body, headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "slack_signature")
        assert "OUTLAY_ALERTER_SLACK_SIGNING_SECRET" in answer.json()["detail"]
        assert SIGNING_SECRET not in answer.text
    assert rig.presses == []
    assert rig.post(BODY, good).status_code == 200, "what was refused with this signature does not use it up"


@pytest.mark.parametrize(
    "stamp", ["", "soon", "-5", "1e9", "٣", "9" * 5000, " 1764558000", "1764558000.5", "nan"]
)
def test_a_timestamp_that_makes_no_sense_is_refused(stamp: str) -> None:
    verifier = Verifier([SIGNING_SECRET], FakeClock(NOW))
    with pytest.raises(SignatureError):
        verifier.check(BODY, stamp, "v0=é")


@pytest.mark.parametrize(("seconds", "status"), [(-299, 200), (-302, 403), (299, 200), (302, 403)])
def test_a_request_is_valid_for_five_minutes_on_each_side(rig: Rig, seconds: int, status: int) -> None:
    headers = signed(BODY, NOW + timedelta(seconds=seconds))
    assert rig.post(BODY, headers).status_code == status


def test_a_request_that_comes_again_is_refused_for_as_long_as_it_is_valid(rig: Rig) -> None:
    headers = signed(BODY, NOW + timedelta(seconds=299))
    assert rig.post(BODY, headers).status_code == 200
    for _ in range(5):
        rig.clock.advance(119)
        again = rig.post(BODY, headers)
        assert again.status_code == 403
        assert rig.post(BODY).status_code == 200, "a new press"
    assert len(rig.presses) == 6


def test_each_of_several_apps_signs_with_its_own_secret() -> None:
    rig = rig_of(OTHER_SECRET, SIGNING_SECRET)
    assert rig.post(BODY).status_code == 200
    assert rig.post(BODY, signed(BODY, NOW, OTHER_SECRET)).status_code == 200
    assert rig.post(BODY, signed(BODY, NOW, "1" * 32)).status_code == 403


def test_without_a_secret_the_answer_says_which_setting_is_missing() -> None:
    answer = rig_of().post(BODY)
    assert (answer.status_code, answer.json()["code"]) == (503, "slack_off")
    assert "set OUTLAY_ALERTER_SLACK_SIGNING_SECRET" in answer.json()["detail"]


def test_links_and_other_interactions_do_nothing(rig: Rig) -> None:
    link = payload("Zx81", "")
    del link["actions"][0]["value"]
    chosen = payload("someone_elses", "") | {"actions": [{"action_id": "x", "value": {"odd": 1}}]}
    for sent in (link, chosen, {"type": "view_submission", "user": {"id": "U1"}, "view": {}}):
        answer = rig.post(body_of(sent))
        assert (answer.status_code, answer.content) == (200, b"")
    assert rig.presses == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"payload=", b"payload=%7B", b"payload=[]", b"other=1", b"payload={}&payload={}",
        b"payload=1" + b"&a=1" * 99,
        body_of(payload(ACKNOWLEDGE, "a1")), body_of(payload(ACKNOWLEDGE, '{"tenant": "acme"}')),
        body_of(payload(ACKNOWLEDGE, target("a1")) | {"user": {"id": "<!channel>"}}),
        body_of(payload(ACKNOWLEDGE, target("a1")) | {"user": None}),
    ],
)  # fmt: skip
def test_what_is_signed_and_no_payload_is_refused(rig: Rig, body: bytes) -> None:
    answer = rig.post(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "slack_payload")
    assert rig.presses == []


def test_a_large_body_is_refused_before_it_is_read_whole(rig: Rig) -> None:
    answer = rig.post(b"x" * (MOST_BYTES + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    blocks = {"blocks": [{"type": "section", "text": "…" * 13_200}]}
    whole = body_of(payload(DAY, target("a1")) | {"message": blocks})
    assert rig.post(whole).status_code == 200, "the longest message that Slack takes"


def test_other_methods_are_refused(rig: Rig) -> None:
    assert rig.client.get("/slack/actions").status_code == 405


def test_work_that_is_not_done_yet_is_bounded(rig: Rig) -> None:
    api = SlackActionsApi(Verifier([SIGNING_SECRET], rig.clock), rig.presses.append)
    api._running = MOST_RUNNING
    client = TestClient(application(api.routes()))
    answer = client.post("/slack/actions", content=BODY, headers=signed(BODY, NOW))
    assert (answer.status_code, answer.json()["code"]) == (503, "slack_busy")
    assert rig.presses == []


def test_a_name_is_one_printable_line(rig: Rig) -> None:
    sent = payload(ACKNOWLEDGE, target("a1"))
    sent["user"] |= {"username": "k\nim\u202e " + "x" * 500}
    rig.post(body_of(sent))
    assert rig.presses[0].actor == f"kim {'x' * 76} (slack:U0456DEF)"
    sent["user"] = {"id": "U0456DEF"}
    rig.post(body_of(sent))
    assert rig.presses[1].actor == "slack:U0456DEF"


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["type", "user", "id", "actions", "action_id", "value", "channel", "response_url"]), inner
)))  # fmt: skip
def test_whatever_a_payload_holds_it_is_read_or_refused(sent: object) -> None:
    body = body_of(sent if isinstance(sent, dict) else {"type": "block_actions", "actions": sent})
    with suppress(ValueError):
        assert read_presses(body, NOW) == []
