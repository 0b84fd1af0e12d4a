"""A price that will change is about the future: nothing of its alert speaks of the past."""

from datetime import UTC, datetime, timedelta

from outlay_reports.alert_text import AlertText, text_of
from outlay_schemas.alerts import Alert
from outlay_schemas.money import Usd

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_an_announced_price_is_upcoming_and_says_before_and_after() -> None:
    alert = Alert(
        id="a", tenant="acme", rule="p", rule_type="price_change", scope={"sku": "gpt-5"},
        window=NOW + timedelta(days=9), level="price", severity="warning", state="firing", title="T", summary="S",
        expected=Usd("100"), actual=Usd("164.05"), contributors=[], at=NOW, query="", impact=Usd("64.05"),
        started_at=NOW + timedelta(days=9),
    )  # fmt: skip
    text = text_of([alert])
    assert isinstance(text, AlertText)
    assert (text.status, text.started_at, text.when(str)) == ("Upcoming", None, "Upcoming")
    assert text.amounts == "$100.00 now, $164.05 after the change, in 30 days"
