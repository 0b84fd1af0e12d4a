"""A Slack app: one message an alert, kept up to date, what follows in its thread, a picture where the token may."""

import json
from collections.abc import Sequence

import msgspec
import pytest
from pydantic import SecretStr
from tests.support.alerts import alert, of, of_review
from tests.support.slack_api import CHANNEL, TOKEN, SlackApi, slack_api

from outlay_alerter.notify.channel_registry import of_catalog
from outlay_alerter.notify.channels.slack_bot import SlackBot
from outlay_alerter.notify.http_post import HttpPoster, read_networks
from outlay_alerter.notify.notification import Notification
from outlay_alerter.notify.outbox import Outbox, Thread
from outlay_alerter.settings import Settings
from outlay_alerter.slack_actions.buttons import BUTTONS
from outlay_kit.clock import SystemClock
from outlay_schemas.catalog.channels import SlackBotChannel

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 100


class Memory(Outbox):
    """Threads that are remembered while a test lasts."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Thread] = {}

    def thread(self, channel: str, incident: str) -> Thread | None:
        return self.known.get((channel, incident))

    def remember_thread(self, channel: str, incidents: Sequence[str], thread: Thread) -> None:
        self.known |= {(channel, incident): thread for incident in incidents}


def bot(
    api: SlackApi, memory: Memory, token: str = TOKEN, channel: str = CHANNEL, *, interactive: bool = False
) -> SlackBot:
    def picture(notification: Notification) -> bytes | None:
        return PNG

    poster = HttpPoster(read_networks("127.0.0.0/8"), 5)
    return SlackBot(
        "oncall",
        token,
        channel,
        poster,
        threads=memory,
        picture=picture,
        api=api.url,
        interactive=interactive,
    )


def test_an_alert_and_its_end_are_one_message_with_a_thread_and_a_picture() -> None:
    memory = Memory()
    with slack_api() as api:
        slack = bot(api, memory)
        assert slack.send(of(alert())).outcome == "sent"
        (first,) = api.messages
        assert (api.files, api.uploads) == ([{"id": "F0", "title": "Spending over time"}], {"F0": PNG})
        over = msgspec.structs.replace(alert(), state="resolved")
        assert slack.send(of(over)).outcome == "sent"
    assert next(iter(api.messages)) == first
    assert len(api.messages) == 2
    follow = list(api.messages.values())[1]
    assert (follow["thread_ts"], follow["reply_broadcast"]) == (first, False)
    assert ":white_check_mark:" in api.messages[first]["blocks"][0]["text"]["text"]
    assert api.calls[-2:] == ["chat.postMessage", "chat.update"]
    assert len(api.files) == 1, "one picture is enough"


def test_what_fires_again_is_seen_in_the_channel_too() -> None:
    memory = Memory()
    with slack_api() as api:
        slack = bot(api, memory)
        slack.send(of(alert()))
        slack.send(of(alert()))
    assert list(api.messages.values())[1]["reply_broadcast"] is True


def test_the_end_of_one_alert_of_a_storm_goes_to_its_thread_and_the_list_stays() -> None:
    memory = Memory()
    with slack_api() as api:
        slack = bot(api, memory)
        slack.send(of(*(alert(f"a{n}") for n in range(100))))
        (first,) = api.messages
        before = api.messages[first]
        slack.send(of(msgspec.structs.replace(alert("a7"), state="resolved")))
    assert api.messages[first] == before
    assert list(api.messages.values())[1]["thread_ts"] == first
    assert "chat.update" not in api.calls


def test_a_token_that_may_not_upload_tells_the_alert_all_the_same() -> None:
    with slack_api() as api:
        api.errors = {"files.getUploadURLExternal": "missing_scope"}
        assert bot(api, Memory()).send(of(alert())).outcome == "sent"
    assert len(api.messages) == 1


@pytest.mark.parametrize(
    ("error", "outcome"),
    [("token_revoked", "disabled"), ("is_archived", "disabled"), ("channel_not_found", "disabled"),
     ("invalid_blocks", "failed"),
     ("fatal_error", "retry"), ("missing_scope", "retry"), ("ratelimited", "retry")],
)  # fmt: skip
def test_what_slack_refuses_with_200_is_no_success(error: str, outcome: str) -> None:
    with slack_api() as api:
        api.errors = {"chat.postMessage": error}
        answer = bot(api, Memory()).send(of(alert()))
    assert answer.outcome == outcome
    assert error in answer.reason
    assert TOKEN not in answer.reason


def test_a_wrong_token_and_a_rate_limit_have_different_outcomes() -> None:
    with slack_api() as api:
        assert bot(api, Memory(), token="xoxb-wrong").send(of(alert())).outcome == "disabled"
        api.limited = 1
        limited = bot(api, Memory()).send(of(alert()))
    assert (limited.outcome, limited.retry_after) == ("retry", 7.0)


def test_a_review_is_a_message_of_its_own() -> None:
    with slack_api() as api:
        assert bot(api, Memory()).send(of_review()).outcome == "sent"
    (review,) = api.messages.values()
    assert review["blocks"][0]["text"]["text"] == ":bar_chart: AI costs in the week of 2026-11-16"


def test_buttons_that_act_are_in_the_first_message_until_it_is_acknowledged() -> None:
    memory = Memory()
    with slack_api() as api:
        slack = bot(api, memory, interactive=True)
        slack.send(of(alert()))
        (first,) = api.messages
        (block,) = [one for one in api.messages[first]["blocks"] if one["type"] == "actions"]
        assert [one["action_id"] for one in block["elements"]] == [*BUTTONS]
        assert {one["value"] for one in block["elements"]} == {'{"tenant":"acme","incident":"a1"}'}
        slack.send(of(msgspec.structs.replace(alert(), state="acknowledged")))
    assert "action_id" not in json.dumps(list(api.messages.values()))


@pytest.mark.parametrize("secret", ["", "8f742231b10e8888abcd99yyyzzz85a5"])
def test_the_signing_secret_turns_the_buttons_on(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAY_CHANNEL_ONCALL", TOKEN)
    with slack_api() as api:
        settings = Settings(
            slack_api=api.url, slack_signing_secret=SecretStr(secret), allow_networks="127.0.0.0/8"
        )
        spec = SlackBotChannel(
            id="oncall", type="slack_bot", token="${env:OUTLAY_CHANNEL_ONCALL}", channel=CHANNEL
        )
        assert of_catalog(spec, settings, SystemClock()).send(of(alert())).outcome == "sent"
    assert ("action_id" in json.dumps(list(api.messages.values()))) == bool(secret)
