"""Every notification channel that the catalog accepts is implemented, renders every message, and is documented."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from tests.support.alerts import alert, of, of_review
from tests.support.channel_examples import example
from tests.support.pages import pages

from outlay_alerter.notify.channel import ChannelContext
from outlay_alerter.notify.channel_registry import KINDS, of_catalog, remote
from outlay_alerter.notify.channels.email import Server
from outlay_alerter.notify.configured_channel import Secrets, with_secrets
from outlay_alerter.notify.http_post import HttpPoster
from outlay_alerter.notify.notification import DeliveryResult
from outlay_alerter.settings import Settings
from outlay_kit.clock import SystemClock
from outlay_schemas.catalog import channels as schema

DOCS = pages("notifications")
SCHEMAS = {get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(schema.AnyChannel)}
SECRETS = {
    "webhook": ["hash_key", "secret", "url"], "slack": ["hash_key", "url"], "slack_bot": ["hash_key", "token"],
    "teams": ["hash_key", "url"], "email": ["hash_key", "password"], "pagerduty": ["hash_key", "routing_key"],
    "alertmanager": ["hash_key", "url"],
}  # fmt: skip
FIRING = alert(title="Growth budget: 80% used ($80.00 of $100.00)")
UNPRICED = alert(
    title="Growth budget: 80% used (≥ $80.00 of $100.00)", unpriced=3,
    runbook="https://wiki.example/budgets", owner="Team Growth",
)  # fmt: skip


@dataclass(frozen=True)
class Recorder(HttpPoster):
    """Answers every request with 200."""

    bodies: list[bytes] = field(default_factory=list)

    def exchange(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[DeliveryResult, bytes]:
        self.bodies.append(body)
        return DeliveryResult("sent", status=200), b'{"ok": true, "ts": "1"}'


def test_every_channel_of_the_catalog_is_implemented_under_its_type() -> None:
    assert {name: kind.spec for name, kind in KINDS.items()} == SCHEMAS
    assert set(SECRETS) == set(SCHEMAS)


@pytest.mark.parametrize("name", KINDS)
def test_every_channel_is_documented(name: str) -> None:
    assert f"type: {name}\n" in DOCS or f"type: {name}," in DOCS
    assert f"`{name}`" in DOCS


@pytest.mark.parametrize("name", KINDS)
def test_the_secrets_of_every_channel_are_found_by_their_types(name: str, tmp_path: Path) -> None:
    kind = SCHEMAS[name]
    assert sorted(schema.secret_fields(kind)) == SECRETS[name]
    secrets = {one: f"${{env:OUTLAY_CHANNEL_{one.upper()}}}" for one in SECRETS[name]}
    values = {f"OUTLAY_CHANNEL_{one.upper()}": f"value of {one}" for one in SECRETS[name]}
    known = with_secrets(example(name).model_copy(update=secrets), Secrets((tmp_path,), values))
    assert {one: getattr(known, one) for one in SECRETS[name]} == {
        one: f"value of {one}" for one in SECRETS[name]
    }


@pytest.mark.parametrize("name", KINDS)
def test_every_channel_renders_every_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    poster, mails = Recorder(), list[str]()

    def send(server: Server, mail: EmailMessage, sender: str, to: Sequence[str]) -> DeliveryResult:
        plain = mail.get_body(["plain"])
        assert plain is not None
        mails.append(f"{mail['Subject']}\n{plain.get_content()}")
        return DeliveryResult("sent")

    monkeypatch.setattr(Server, "send", send)
    context = ChannelContext(Settings(), poster, SystemClock())
    channel = KINDS[name].build(example(name), context)
    resolved = msgspec.structs.replace(FIRING, state="resolved")
    messages = [of(UNPRICED), of(resolved), of(*(alert(f"a{n}") for n in range(9)))]
    messages += [of_review()] if SCHEMAS[name].supports_review else []
    for message in messages:
        before = len(poster.bodies) + len(mails)
        assert channel.send(message).outcome == "sent"
        assert len(poster.bodies) + len(mails) > before
    first = mails[0] if mails else json.dumps(json.loads(poster.bodies[0]), ensure_ascii=False)
    assert "80% used (≥ $80.00 of $100.00)" in first
    assert "https://wiki.example/budgets" in first
    assert "Team Growth" in first
    assert "3 events: the amounts are lower bounds" in first or '"unpriced": 3' in first
    assert channel.name == example(name).id


def test_a_channel_of_the_catalog_hides_its_secrets_until_it_sends() -> None:
    spec = example("webhook").model_copy(update={"secret": "${env:OUTLAY_CHANNEL_NOWHERE}"})
    made = of_catalog(spec, Settings(), SystemClock())
    result = made.send(of(FIRING))
    assert (result.outcome, made.target) == ("retry", "")
    assert "OUTLAY_CHANNEL_NOWHERE" in result.reason


def test_the_settings_make_the_channels_that_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert remote(Settings(), SystemClock()) == []
    for name, value in {
        "WEBHOOK_URL": "https://a.example/x", "WEBHOOK_SECRET": "whsec_" + "eHh4" * 8,
        "SLACK_URL": "https://b.example/x", "PAGERDUTY_KEY": "k", "ALERTMANAGER_URL": "https://c.example/x",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"OUTLAY_ALERTER_{name}", value)
    names = [channel.name for channel in remote(Settings(), SystemClock())]
    assert sorted(names) == ["alertmanager", "pagerduty", "slack", "webhook"]
