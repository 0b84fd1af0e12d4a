"""Routing, digests, redaction and templates."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from tests.support.alerts import AT, alert
from tests.support.channel_messages import FULL

from outlay_alerter.notify.configured_channel import SecretError, Secrets
from outlay_alerter.notify.redaction import HIDDEN, redacted
from outlay_alerter.notify.routing import Routing, next_digest
from outlay_alerter.notify.templates import TemplateProblem, check, fill
from outlay_schemas.catalog.channels import Channel, Digest, Review, Route
from outlay_schemas.events import encoder

CHANNELS = TypeAdapter(tuple[Channel, ...])
ROUTES = TypeAdapter(tuple[Route, ...])
SECRET = "${env:OUTLAY_CHANNEL_X}"
POSTS = CHANNELS.validate_python([
    {"id": "oncall", "type": "pagerduty", "routing_key": SECRET},
    {"id": "growth", "type": "slack", "url": SECRET, "resolved": False},
    {"id": "ops", "type": "teams", "url": SECRET, "digest": {"minutes": 60}},
])  # fmt: skip


def names(routes: list[dict[str, object]], **changes: Any) -> set[str]:
    return set(Routing(POSTS, ROUTES.validate_python(routes))(alert(**changes)))


def test_without_routes_every_channel_gets_what_it_accepts() -> None:
    assert names([]) == {"oncall", "growth", "ops"}
    assert names([], severity="info") == {"growth", "ops"}
    assert names([], state="resolved") == {"oncall", "ops"}


def test_the_first_route_that_fits_decides_unless_it_says_go_on() -> None:
    routes: list[dict[str, object]] = [
        {"match": {"severity": "critical"}, "channels": ["oncall"], "continue": True},
        {"match": {"scope": {"team": ["growth", "sales"]}}, "channels": "growth"},
        {"match": {"rule": "noise"}, "channels": []},
        {"channels": ["ops"]},
    ]
    assert names(routes) == {"growth"}
    assert names(routes, severity="critical") == {"oncall", "growth"}
    assert names(routes, scope={"team": "search"}) == {"ops"}
    assert names(routes, scope={"team": ["search", "sales"]}) == {"growth"}
    assert names(routes, scope={}, rule="noise") == set()
    assert names(routes, scope={}, tenant="other") == {"ops"}


def test_what_can_wait_is_due_with_the_digest_and_the_rest_at_once() -> None:
    def due(severity: str) -> datetime:
        return Routing(POSTS)(alert(severity=severity, at=AT + timedelta(minutes=7)))["ops"]

    assert due("info") == AT + timedelta(hours=1)
    assert due("critical") == AT + timedelta(minutes=7)


@pytest.mark.parametrize(
    ("digest", "at", "due"),
    [
        ({"at": "09:00"}, "2026-11-24T08:59:59+00:00", "2026-11-24T09:00:00+00:00"),
        ({"at": "09:00"}, "2026-11-24T09:00:00+00:00", "2026-11-25T09:00:00+00:00"),
        ({"at": "09:00", "timezone": "Europe/Berlin"}, "2026-10-24T09:00:00+00:00", "2026-10-25T08:00:00+00:00"),
        ({"at": 540, "timezone": "Europe/Berlin"}, "2026-10-23T09:00:00+00:00", "2026-10-24T07:00:00+00:00"),
        ({"minutes": 45}, "2026-11-24T23:40:00+00:00", "2026-11-25T00:00:00+00:00"),
        ({"minutes": 15, "timezone": "Asia/Kolkata"}, "2026-11-24T12:01:00+00:00", "2026-11-24T12:15:00+00:00"),
    ],
)  # fmt: skip
def test_a_digest_is_due_by_the_clock_on_the_wall(digest: dict[str, object], at: str, due: str) -> None:
    found = next_digest(Digest.model_validate(digest), datetime.fromisoformat(at))
    assert found == datetime.fromisoformat(due)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)), st.integers(1, 1440))  # noqa: DTZ001
def test_a_digest_is_always_later_and_never_farther_than_its_length(at: datetime, minutes: int) -> None:
    now = at.replace(tzinfo=UTC)
    zone = "America/New_York"
    assert now < next_digest(Digest(minutes=minutes, timezone=zone), now) <= now + timedelta(minutes=minutes)
    daily = next_digest(Digest(at="02:30", timezone=zone), now)
    assert now < daily <= now + timedelta(hours=25)


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ({"type": "slack", "url": "https://hooks.slack.com/services/T0/B0/abc"}, "must not stand in the catalog"),
        ({"type": "slack_bot", "token": "xoxb-12", "channel": "C012"}, "must not stand in the catalog"),
        ({"type": "slack", "url": "${env:OUTLAY_KAFKA_PASSWORD}"}, "begins with OUTLAY_CHANNEL_"),
        ({"type": "webhook", "url": "https://x.example/?key=1", "secret": SECRET}, "without user, password or query"),
        ({"type": "webhook", "url": "https://u:p@x.example/", "secret": SECRET}, "without user, password or query"),
        ({"type": "pagerduty", "routing_key": SECRET, "digest": {"minutes": 5}}, "cannot have a digest"),
        ({"type": "slack", "url": SECRET, "hash": ["user"]}, "hash needs hash_key"),
        ({"type": "slack", "url": SECRET, "digest": {"minutes": 5, "at": "09:00"}}, "one of them"),
        ({"type": "email", "host": "m.example", "from": "a@b.c", "to": "x\r\nBcc: y@z"}, "match pattern"),
        ({"type": "email", "host": "m.example", "from": "a@b.c", "to": "d@e.f", "username": "u"}, "go together"),
        ({"type": "email", "host": "m", "from": "a@b.c", "to": "d@e.f", "username": "u", "password": SECRET,
          "security": "none"}, "not sent without encryption"),
        ({"id": "bus", "type": "slack", "url": SECRET}, "always there"),
    ],
)  # fmt: skip
def test_a_channel_that_is_wrong_says_what_is(channel: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CHANNELS.validate_python([{"id": "one", **channel}])


def test_a_review_takes_the_time_as_yaml_reads_it() -> None:
    made = Review.model_validate({"id": "w", "at": 630, "channels": "ops", True: "friday"})
    assert (made.at, made.channels, made.every, made.day) == ("10:30", ("ops",), "week", "friday")


def test_hidden_values_are_nowhere_in_what_is_sent() -> None:
    named = msgspec.structs.replace(
        FULL, title="User u-17 <!channel> & co spends", query="SELECT ... user = 'u-17 <!channel> & co'",
        facts={"top": "u-17 <!channel> & co: $39.99"},
    )  # fmt: skip
    seen = redacted(named, ("user",), (), b"")
    assert "u-17" not in encoder.encode(seen).decode()
    assert seen.title == f"User {HIDDEN} spends"
    assert {c.dimension for c in seen.contributors} == {"team", "use_case"}
    assert seen.scope == named.scope


def test_hashed_values_are_the_same_for_the_same_value_and_key() -> None:
    one = redacted(FULL, (), ("user", "project"), b"k")
    again = redacted(FULL, (), ("user", "project"), b"k")
    other = redacted(FULL, (), ("user", "project"), b"l")
    assert one == again
    assert one.scope["project"] != other.scope["project"]
    assert str(one.scope["project"]).startswith("project-")
    assert str(one.scope["project"]) in one.title
    assert redacted(FULL, (), (), b"") is FULL


def test_a_template_says_it_in_its_own_words() -> None:
    text = "{{ rule|upper }}: {{ actual|usd }}{% if expected %} for {{ expected|usd }}{% endif %}"
    text += "{% for c in contributors %} {{ c.dimension }}={{ c.value or '?' }}{% endfor %}"
    check(text, FULL)
    assert fill(text, FULL).startswith("SPEND-SPIKE: $42.10 for $4.48 team=growth team=? user=u-17")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a\n{{ actuall }}", 2, "actuall is not a field"),
        ("a\n\n{% if %}", 3, "Expected an expression"),
        ("{{ ''.join([]) }}", 1, "a call"),
        ("\n" + "{% for a in facts %}" * 3 + "{% endfor %}" * 3, 2, "loops"),
        ("{{ 'x' * 1000000000 }}", 1, "cannot contain"),
        ("{{ actual.__class__ }}", 1, "unsafe"),
        ("{{ actual|attr('x') }}", 1, "No filter"),
        ("{% include 'x' %}", 1, "an include"),
        ("{{ title|usd }}", 1, "ConversionSyntax"),
    ],
)  # fmt: skip
def test_a_template_that_could_harm_or_fail_is_refused_when_it_is_checked(
    text: str, line: int, words: str
) -> None:
    with pytest.raises(TemplateProblem, match=words) as caught:
        check(text, FULL)
    assert caught.value.line == line


def test_secrets_come_from_variables_their_files_and_the_folders_that_are_named(tmp_path: Path) -> None:
    (tmp_path / "slack").write_text("https://hooks.example/1\n")
    (tmp_path / "else").mkdir()
    inside = Secrets((tmp_path,), {"OUTLAY_CHANNEL_A": "a", "OUTLAY_CHANNEL_B_FILE": str(tmp_path / "slack")})
    assert inside.read("${env:OUTLAY_CHANNEL_A}") == "a"
    assert inside.read("${env:OUTLAY_CHANNEL_B}") == "https://hooks.example/1"
    assert inside.read(f"${{file:{tmp_path}/slack}}") == "https://hooks.example/1"
    assert inside.read("https://plain.example/") == "https://plain.example/"
    outside = Secrets((tmp_path / "else",), {})
    for reference in (f"${{file:{tmp_path}/slack}}", f"${{file:{tmp_path}/else/../slack}}", SECRET):
        with pytest.raises(SecretError):
            outside.read(reference)
    with pytest.raises(SecretError, match="cannot be read"):
        inside.read(f"${{file:{tmp_path}/none}}")
