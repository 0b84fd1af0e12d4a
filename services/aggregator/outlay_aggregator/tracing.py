"""Adds the work on a batch to the traces of its records, if traces are on: two spans, the same for each trace."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from outlay_kit.broker import Record
from outlay_kit.tracing import MOST_IN_BATCH, parents

if TYPE_CHECKING:
    from outlay_kit.otel import Tracing


def note_batch(
    tracing: "Tracing",
    records: Sequence[Record],
    end: datetime,
    ledger: float,
    rollups: float,
    *,
    minutes: int,
) -> None:
    """Note a batch that is durable at `end`: seconds of the ledger, then of the rollups of so many minutes."""
    found: list[str] = []
    for record in records:
        if record.headers:
            found += parents(record.headers)
        if len(found) >= MOST_IN_BATCH:
            break
    if not found:
        return
    written = end - timedelta(seconds=rollups)
    begun = written - timedelta(seconds=ledger)
    found = found[:MOST_IN_BATCH]
    tracing.note("write to the ledger", found, begun, written, {"outlay.records": len(records)})
    if minutes:
        tracing.note("roll up", found, written, end, {"outlay.minutes": minutes})
