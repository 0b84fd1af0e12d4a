"""One grammar: what the pricer emits for odd events, the ledger of the real engine takes as it is."""

from datetime import UTC, datetime
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.catalogs import PLAIN, book, catalog, rates, rule
from tests.support.odd_events import odd_events

from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_kit.clickhouse import ClickHouseClient
from outlay_pricer.record_pricing import RecordPosition, Tenancy, price_record

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CATALOG = catalog(
    rates(PLAIN), revision=7000, price_books=[book(rule({"gb": {"price": "0.000000000001"}}, "box"))]
)


def test_the_ledger_takes_whatever_the_pricer_emits(clickhouse: ClickHouseClient) -> None:
    store, offsets = LedgerStore(clickhouse, 1000), count()
    sent: list[int] = []

    @settings(max_examples=60, deadline=None)
    @given(st.lists(odd_events(), min_size=20, max_size=40))
    def insert(events: list[bytes]) -> None:
        place = RecordPosition("usage.events", 0, next(offsets), 1_764_000_000_000)
        priced = price_record(b"\n".join(events), place, CATALOG, NOW, Tenancy())
        for _, value in priced.values:
            store.append("ledger", value)
        sent.append(priced.events)

    insert()
    rows = clickhouse.rows("SELECT count() AS events FROM ledger WHERE revision = 7000")
    assert sum(sent) > 0
    assert 0 < rows[0]["events"] <= sum(sent), "rows under one identity replace each other"
