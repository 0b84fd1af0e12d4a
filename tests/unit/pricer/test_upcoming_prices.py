"""Which prices change, and what that comes to, at the events' own time of the day."""

from datetime import timedelta
from decimal import Decimal

from tests.support.catalogs import event
from tests.support.dated_catalog import DAY, NOW, catalog

from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.domain.compare import CostChange, change_dates, cost_change
from outlay_schemas.catalog import FxRate, Negotiated, RateData

RATES = RateData.model_validate(
    {
        "version": "1", "date": "2026-01-01", "units": {},
        "providers": [{"id": "p", "models": [
            {"id": "m", "prices": [
                {"prices": {}}, {"constraint": {"start_date": "2026-12-24"}, "prices": {}},
                {"constraint": {"start_time": "01:00Z", "end_time": "02:00Z"}, "prices": {}},
            ]},
            {"id": "n", "prices": {}},
        ]}],
    }
)  # fmt: skip


def test_dates_come_from_price_books_the_library_agreements_and_currencies() -> None:
    deal = Negotiated.model_validate(
        {"id": "deal", "discount_percent": 10, "from": "2026-11-30", "to": "2027-01-01"}
    )
    euro = FxRate.model_validate(
        {"currency": "EUR", "usd": "1.1", "from": "2026-01-01", "to": "2026-12-31", "source": "x"}
    )
    whole = catalog(rates=RATES, negotiated=(deal,), fx=(euro,))
    found = change_dates(whole, NOW, NOW + timedelta(days=90))
    assert [f"{at:%m-%d}" for at in found] == ["11-30", "12-01", "12-24", "12-31", "01-01"]
    assert change_dates(whole, NOW, NOW + timedelta(days=7)) == [found[0], DAY]
    assert change_dates(whole, DAY, DAY) == []


def test_a_change_is_the_difference_of_two_days() -> None:
    ready = CompiledCatalog(catalog())
    events = [event({"calls": n}, "geo", kind="custom") for n in (1, 2)]
    strangers = [event({"other": 1}, "nothing", kind="custom")]
    assert cost_change(ready, events + strangers, DAY) == CostChange(Decimal("1.5"), Decimal("2.25"), 2)
    assert cost_change(ready, events, DAY + timedelta(days=5)) == CostChange(
        Decimal("2.25"), Decimal("2.25"), 2
    )
