"""A batch stands in the traces of its records, in so many of them and no more."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.support.otlp_receiver import Collector, collecting

from outlay_aggregator.service import note_batch
from outlay_kit.broker import Record
from outlay_kit.otel import Tracing
from outlay_kit.tracing import HEADER, MOST_IN_BATCH

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


def traced(number: int) -> Record:
    header = f"00-{number:032x}-{number:016x}-01".encode()
    return Record("cost.events", 0, number, b"{}", headers=[(HEADER, header)])


def test_a_batch_is_noted_in_each_trace_of_its_records_up_to_a_bound(collector: Collector) -> None:
    tracing = Tracing("aggregator")
    records = [Record("cost.events", 0, 0, b"{}"), *(traced(n) for n in range(1, MOST_IN_BATCH + 9))]
    note_batch(tracing, records, NOW, (0.5, 0.25), 2)
    tracing.close()
    ledger = [span for span in collector.spans if span.name == "write to the ledger"]
    rollups = [span for span in collector.spans if span.name == "roll up"]
    assert len({span.trace for span in ledger}) == len(ledger) == len(rollups) == MOST_IN_BATCH
    assert {(span.end - span.start) / 1e9 for span in ledger} == {0.5}
    assert {(span.end - span.start) / 1e9 for span in rollups} == {0.25}


def test_a_batch_whose_minutes_wait_is_only_in_the_ledger(collector: Collector) -> None:
    tracing = Tracing("aggregator")
    note_batch(tracing, [traced(1)], NOW, (0.5, 0.0), 0)
    note_batch(tracing, [Record("t", 0, 0, b"")], NOW, (0.5, 0.0), 0)
    tracing.close()
    assert [span.name for span in collector.spans] == ["write to the ledger"]
