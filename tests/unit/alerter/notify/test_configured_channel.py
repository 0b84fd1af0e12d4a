"""A channel of the catalog: its secrets at every try, what it may see, its own words; and the picture."""

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from PIL import Image
from pydantic import TypeAdapter
from tests.support.alerts import of
from tests.support.channel_messages import FULL
from tests.support.receiver import receiving

from outlay_alerter.notify.channel import Channel as Sending
from outlay_alerter.notify.channel_registry import of_catalog
from outlay_alerter.notify.chart import Spending, draw
from outlay_alerter.settings import Settings
from outlay_kit.clock import SystemClock
from outlay_schemas.catalog.channels import Channel

SPEC = {"id": "ops", "type": "slack", "url": "${env:OUTLAY_CHANNEL_OPS}", "hide": ["user"],
        "title": "{{ rule }} of {{ scope.project }}",
        "text": "{{ contributors[0].value }}: {{ facts.events }}"}  # fmt: skip


def channel() -> Sending:
    spec = TypeAdapter(Channel).validate_python(SPEC)
    return of_catalog(spec, Settings(allow_networks="127.0.0.0/8"), SystemClock())


def test_a_channel_says_it_in_its_words_and_hides_what_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        monkeypatch.setenv("OUTLAY_CHANNEL_OPS", receiver.url)
        assert channel().send(of(FULL)).outcome == "sent"
    text = receiver.got[0].body.decode()
    assert "spend-spike of assistant" in text
    assert "growth: 1204" in text
    assert "u-17" not in text
    assert "growth $40.10" in text


def test_a_template_that_does_not_fit_an_alert_lets_the_usual_words_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receiving() as receiver:
        monkeypatch.setenv("OUTLAY_CHANNEL_OPS", receiver.url)
        bare = msgspec.structs.replace(FULL, facts={}, scope={}, contributors=[])
        assert channel().send(of(bare)).outcome == "sent"
    assert "Spend spike: project assistant" in json.loads(receiver.got[0].body)["text"]


def test_a_secret_that_changed_is_taken_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ops"
    monkeypatch.setenv("OUTLAY_CHANNEL_OPS_FILE", str(file))
    made = channel()
    missing = made.send(of(FULL))
    assert (missing.outcome, made.target) == ("retry", "")
    with receiving() as first, receiving() as second:
        for receiver in (first, second):
            file.write_text(receiver.url + "\n")
            assert made.send(of(FULL)).outcome == "sent"
            assert made.target == receiver.url
    assert (len(first.got), len(second.got)) == (1, 1)
    file.write_text("not-a-url-but-a-secret")
    refused = made.send(of(FULL))
    assert refused.outcome == "retry"
    assert "not-a-url" not in refused.reason


def test_a_picture_shows_loud_bars_where_the_alert_is() -> None:
    start = datetime(2026, 11, 24, 12, tzinfo=UTC)
    costs = [10**12] * 50 + [9 * 10**12] * 10
    spending = Spending(
        "USD by minute", start, timedelta(minutes=1), costs, start + timedelta(minutes=50), 10**12
    )
    png = draw(spending)
    assert png == draw(spending)
    image = Image.open(BytesIO(png)).convert("RGB")
    colours = image.getcolors(100_000)
    assert colours is not None
    found = {colour: n for n, colour in colours}
    assert found[(0xD0, 0x40, 0x2B)] > found[(0x9B, 0xB4, 0xD1)] > 1000
    assert len(png) < 40_000
    assert draw(Spending("nothing", start, timedelta(days=1), [0] * 60))
