"""One grammar at four places: ingest, the pricer, the aggregator and the ledger agree on every event (P9)."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.catalogs import PLAIN, book, catalog, rates, rule
from tests.support.grammar_fuzz import Fuzz
from tests.support.odd_events import odd_events
from tests.support.promises import Tally

from outlay_aggregator.adapters.ledger_store import LedgerStore, MalformedError
from outlay_aggregator.domain.record_parser import check
from outlay_aggregator.domain.record_parser import read as read_costs
from outlay_ingest.domain.reading import Rules
from outlay_ingest.domain.reading import read as read_usage
from outlay_kit.clickhouse import ClickHouseClient
from outlay_pricer.record_pricing import AHEAD, RecordPosition, Tenancy, price_record

pytestmark = pytest.mark.stack
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CATALOG = catalog(rates(PLAIN), price_books=[book(rule({"gb": {"price": "0.000000000001"}}, "box"))])
TRACED = catalog(rates(PLAIN), revision=7000)
BATCH = 900
"""Lines of a record: fewer than the bad lines after which the rest of a record is not read."""
ACCEPTED_MS = int(NOW.timestamp() * 1000)


def refused_by_ingest(lines: Sequence[bytes]) -> set[int]:
    """Return the places of the lines that ingest refuses, and check that it keeps or refuses each."""
    rules = Rules("acme", NOW, future=AHEAD, age=timedelta(days=365 * 27))
    chunks = list(read_usage(b"\n".join(lines), "ndjson", rules))
    refused = {rejection.index for chunk in chunks for rejection in chunk.rejections}
    assert sum(chunk.events for chunk in chunks) + len(refused) == len(lines)
    return refused


def refused_by_ledger(store: LedgerStore, value: bytes) -> list[str]:
    """Write a record as the aggregator does; return the lines that its parser accepts and the engine does not."""
    with suppress(MalformedError):
        store.append("ledger_input", read_costs(value).body)
        return []
    lines = [line for _, _, line in check(value)[0]]
    return [f"ledger refuses: {line[:300]!r}" for line in without(store, lines)]


def without(store: LedgerStore, lines: Sequence[bytes]) -> list[bytes]:
    """Write lines; return those that the engine refuses."""
    try:
        store.append("ledger_input", b"\n".join(lines))
    except MalformedError:
        if len(lines) == 1:
            return list(lines)
        half = len(lines) // 2
        return without(store, lines[:half]) + without(store, lines[half:])
    return []


def fuzz(clickhouse: ClickHouseClient, events: int, seed: int) -> tuple[int, int, list[str]]:
    """Return how many events the ledger took, how many were dead letters, and where two places disagreed."""
    store, made, differ = LedgerStore(clickhouse, 1000), Fuzz(seed), list[str]()
    kept = dead = 0
    for batch in range(events // BATCH // 2):
        lines = [made.usage_event() for _ in range(BATCH)]
        place = RecordPosition("usage.events", 0, batch, ACCEPTED_MS)
        priced = price_record(b"\n".join(lines), place, CATALOG, NOW, Tenancy(only="acme"))
        assert priced.events + len(priced.dead_letters) == len(lines)
        by_pricer = {refused.line for refused in priced.dead_letters}
        differ += [
            f"ingest {'refuses' if at not in by_pricer else 'accepts'}: {lines[at][:300]!r}"
            for at in refused_by_ingest(lines) ^ by_pricer
        ]
        for _, value in priced.values:
            differ += [f"aggregator refuses: {bad.body[:300]!r}" for bad in read_costs(value).bad]
        for value in (
            *(value for _, value in priced.values),
            b"\n".join(made.cost_event() for _ in range(BATCH)),
        ):
            reading = read_costs(value)
            dead += len(reading.bad)
            kept += reading.events
            differ += refused_by_ledger(store, value)
        dead += len(by_pricer)
    return kept, dead, differ


@pytest.mark.parametrize(
    "events", [18_000, pytest.param(1_000_000, marks=[pytest.mark.chaos, pytest.mark.timeout(1800)])]
)
def test_p9_ingest_pricer_aggregator_and_ledger_accept_the_same_events(
    clickhouse: ClickHouseClient, tally: Tally, events: int
) -> None:
    kept, dead, differ = fuzz(clickhouse, events, seed=events)
    tally("P9", f"odd events: {kept:,} in the ledger, {dead:,} dead letters", events, 0, len(differ))
    assert differ == []
    assert min(kept, dead) > events / 10


def test_the_ledger_takes_whatever_the_pricer_emits(clickhouse: ClickHouseClient) -> None:
    store, offsets = LedgerStore(clickhouse, 1000), count()
    sent: list[int] = []

    @settings(max_examples=60, deadline=None)
    @given(st.lists(odd_events(), min_size=20, max_size=40))
    def insert(events: list[bytes]) -> None:
        place = RecordPosition("usage.events", 0, next(offsets), 1_764_000_000_000)
        priced = price_record(b"\n".join(events), place, TRACED, NOW, Tenancy())
        for _, value in priced.values:
            store.append("ledger_input", value)
        sent.append(priced.events)

    insert()
    rows = clickhouse.rows("SELECT count() AS events FROM ledger WHERE revision = 7000")
    assert sum(sent) > 0
    assert 0 < rows[0]["events"] <= sum(sent), "rows under one identity replace each other"
