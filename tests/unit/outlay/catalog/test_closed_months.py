"""Which closed months a re-pricing amends."""

from datetime import UTC, datetime
from typing import Any

from tests.support.catalogs import catalog, event, model, rates

from outlay.catalog.reprice import Amended, ClosedMonths
from outlay_pricer.domain import price

CHEAP = catalog()
EXPENSIVE = catalog(rates(model("plain", {"input_mtok": "5"})))


def _note(months: ClosedMonths, **more: Any) -> None:
    sent = event({"input_tokens": 1_000_000}, **more)
    months.note(price(sent, CHEAP), price(sent, EXPENSIVE))


def test_a_month_is_that_of_its_own_zone() -> None:
    months = ClosedMonths(
        [("a", "2026-10", "UTC"), ("a", "2026-11", "Europe/Berlin"), ("b", "2026-10", "UTC")]
    )
    late = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)  # November in Berlin
    _note(months, tenant="a", time=late)
    _note(months, tenant="a", time=datetime(2026, 10, 5, tzinfo=UTC))
    _note(months, tenant="a", time=datetime(2026, 12, 5, tzinfo=UTC))
    _note(months, tenant="c", time=late)
    assert months.amended() == [
        Amended("a", "2026-10", "UTC", 2, "4"),
        Amended("a", "2026-11", "Europe/Berlin", 1, "2"),
    ]


def test_what_had_no_price_is_amended_by_all_of_it() -> None:
    months = ClosedMonths([("a", "2026-11", "UTC")])
    sent = event({"input_tokens": 1_000_000}, "new", tenant="a")
    months.note(price(sent, CHEAP), price(sent, catalog(rates(model("new", {"input_mtok": "1"})))))
    assert months.amended() == [Amended("a", "2026-11", "UTC", 1, "1")]
