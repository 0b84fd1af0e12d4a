"""What the aggregator does with a batch. The order of the steps is the promise; do not change it.

1. read which minutes the records dirty, and which lines are bad
2. write the good lines to the ledger (bad ones become dead letters first: they must be durable too), and
   retract what came again with another time (identities.py)
3. recompute the dirty minutes, then their hours, then their days, and
4. publish each window
5. (the loop) commit

Old minutes, which a backfill brings by the ten thousand, may be put off to later turns, so that the live ones
are not; the batches that they came in stay uncommitted until then (docs/adr/0013).

A crash after any step repeats the steps before it, which changes nothing: the ledger keeps one row per
identity, and a window is a function of the ledger.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from outlay_aggregator import metrics
from outlay_aggregator.adapters.ledger_store import MalformedError
from outlay_aggregator.domain import dead_letters, record_parser
from outlay_aggregator.domain.backfill_queue import BackfillQueue
from outlay_aggregator.domain.identities import Suspect
from outlay_aggregator.domain.record_parser import BadLine
from outlay_aggregator.domain.windows import GRAINS, Window, chunks, widen
from outlay_aggregator.identities import Identities, Ledger, settle
from outlay_aggregator.minute_checks import Finder, MinuteChecks
from outlay_aggregator.tracing import BatchTraces
from outlay_kit.clock import Clock
from outlay_kit.failpoints import failpoint
from outlay_kit.kafka import Batch, OversizeError, Record, RecordSink, deliver
from outlay_kit.telemetry import get_logger
from outlay_schemas.dead_letters import dead_letter
from outlay_schemas.events import DeadLetter, Grain, encoder
from outlay_schemas.retention import RETENTION_DAYS
from outlay_schemas.topics import DEAD_LETTER, ROLLUPS

log = get_logger(__name__)
_CHEAP_SHARE = 0.2
_CHEAP_LINGER = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds the work."""

    chunk: int = 200
    rollup_share: float = 0.1
    max_linger: float = 8.0
    throttle_above: int = 350_000
    """Events of the minutes of a batch past which recomputing keeps to its share; up to it, a fifth of the time and
    a second are the bounds, so that figures stay fresh."""
    cells: int = 1000
    """Cells of a minute past which its largest producer is named."""
    backfill_per_batch: int = 1000
    """Old minutes that a turn recomputes; what more there are waits for the next."""
    most_backfill: int = 250_000
    """Old minutes that may wait; past it a turn recomputes as many more."""
    identity_bits: int = 29
    """The filter of identities has 2^29 bits, 64 MiB. What it may know is looked for in the ledger's index."""
    live: timedelta = timedelta(hours=2)
    """Minutes from so long ago on are never put off."""
    retention: timedelta = timedelta(days=RETENTION_DAYS)
    """Older events are refused: the rest of their hour and day may be gone, and the sum would be wrong."""


class Store(Finder, Ledger, Protocol):
    """Where the books are kept: `adapters.books.LedgerStore`."""

    def append(self, table: str, lines: bytes) -> None:
        """Write NDJSON rows. Raises Retryable; MalformedError if a line cannot be read."""
        ...

    def recompute(self, grain: Grain, windows: Sequence[Window]) -> list[bytes]:
        """Compute windows anew, store them, return one `RollupWindow` a line. Raises Retryable."""
        ...


class Aggregator:
    """Cost events in, ledger and rollups out."""

    def __init__(
        self,
        books: Store,
        sink: RecordSink,
        clock: Clock,
        limits: Limits | None = None,
        progress: Callable[[], None] = lambda: None,
        *,
        traces: BatchTraces | None = None,
    ) -> None:
        """`progress()` is called as a batch goes on: one with many windows is no stall."""
        self._books = books
        self._sink = sink
        self._clock = clock
        self._limits = limits or Limits()
        self._pace = 0.0
        self._batches = 0
        self._backfill = BackfillQueue(self._limits.backfill_per_batch, self._limits.most_backfill)
        self._progress = progress
        self._traces = traces
        self._minute_checks = MinuteChecks(books, self._limits.cells)
        self._identities = Identities(books, self._limits.identity_bits)

    def pace(self) -> float:
        """Return how long the next batch should gather so that recomputing keeps to its share of the time."""
        return self._pace

    def settled(self) -> int:
        """Return how many batches with records, from the first on, are durable in all that came of them."""
        return self._backfill.settled(self._batches)

    def handle(self, batch: Batch) -> None:
        """Make a batch durable: ledger, rollups, messages; but for old minutes that are put off (`settled`).

        An empty batch works on what was put off. Raises Retryable: then commit none of it.
        """
        started = self._clock.monotonic()
        refused = [record for record in batch.records if record.topic == DEAD_LETTER.name]
        records = [record for record in batch.records if record.topic != DEAD_LETTER.name]
        self._identities.follow(records)
        minutes = self._write(records)
        self._store_letters(refused)
        failpoint("after_ledger")
        written = self._clock.monotonic()
        live = self._put_off(minutes)
        events = self._roll_up(live) if live else 0
        if batch.records:
            done = self._clock.monotonic()
            self._note(started, written, done, minutes=len(minutes), events=events)
            if self._traces is not None:
                self._traces.note(batch.records, written - started, done - written, len(live))
        self._catch_up()
        self._batches += bool(batch.records)
        self._identities.done(records)

    def _put_off(self, minutes: set[Window]) -> set[Window]:
        """Keep old minutes for `_catch_up`; return the others."""
        since = int((self._clock.now() - self._limits.live).timestamp())
        live = {minute for minute in minutes if minute.start >= since}
        self._backfill.put_off(minutes - live, self._batches + 1)
        return live

    def _catch_up(self) -> None:
        """Recompute some of the minutes that were put off, those that wait longest first."""
        minutes = self._backfill.due()
        if minutes:
            self._roll_up(minutes)
            self._backfill.done(minutes)
        metrics.BACKFILL_WAITING.set(len(self._backfill))

    def _write(self, records: Sequence[Record]) -> set[Window]:
        """Steps 1 and 2. Return the dirty minutes."""
        oldest = self._clock.now() - self._limits.retention
        readings = [record_parser.read(record.value, oldest, self._identities.seen) for record in records]
        for record, reading in zip(records, readings, strict=True):
            self._refuse(record, reading.bad)
        body = b"\n".join(reading.body for reading in readings if reading.events)
        if not body:
            return set()
        metrics.EVENTS.inc(sum(reading.events for reading in readings))
        metrics.BYTES.inc(len(body))
        try:
            self._books.append("ledger", body)
            minutes = {minute for reading in readings for minute in reading.minutes}
        except MalformedError:
            minutes = {minute for record in records for minute in self._write_apart(record)}
        failpoint("after_insert")
        suspects: list[Suspect] = [suspect for reading in readings for suspect in reading.suspects]
        return minutes | settle(self._books, suspects, _whole_minute(oldest))

    def _write_apart(self, record: Record) -> frozenset[Window]:
        """Write a record whose batch the engine refused: its bad lines become dead letters.

        Return the minutes of the lines that were written: a minute in which none was is not dirty.
        """
        lines = [(n, line) for n, line in enumerate(record.value.split(b"\n")) if line.strip()]
        oldest = self._clock.now() - self._limits.retention
        bad = {n: why for n, line in lines if (why := record_parser.why(line, n, oldest))}
        self._refuse(record, list(bad.values()))
        written = self._halve(record, [(n, line) for n, line in lines if n not in bad])
        return record_parser.read(b"\n".join(written)).minutes

    def _halve(self, record: Record, lines: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """Write lines; if the engine refuses them, halve them until the bad ones stand alone."""
        if not lines:
            return []
        bodies = [line for _, line in lines]
        try:
            self._books.append("ledger", b"\n".join(bodies))
        except MalformedError as error:
            if len(lines) > 1:
                middle = len(lines) // 2
                return self._halve(record, lines[:middle]) + self._halve(record, lines[middle:])
            number, line = lines[0]
            self._refuse(record, [BadLine(line, number, "ledger_refused", str(error)[:1000])])
            return []
        return bodies

    def _refuse(self, record: Record, bad: Sequence[BadLine]) -> None:
        """Make dead letters of bad lines, durably: if that fails, the line stops."""
        if not bad:
            return
        found = [
            dead_letter("aggregator", b.body, b, self._clock.now(), line=b.line, place=_place(record))
            for b in bad
        ]
        for line in map(encoder.encode, found):
            try:
                deliver(self._sink, DEAD_LETTER.name, [line])
            except OversizeError:  # base64 is a third larger than the record that it was in
                self._books.append("dead_letters", line)
        metrics.POISON.inc(len(found))
        where = f"{record.topic}/{record.partition}/{record.offset}"
        log.warning(
            "dead letters", count=len(found), code=found[0].code, dead_letter=found[0].id, record=where
        )

    def _store_letters(self, records: Sequence[Record]) -> None:
        """Write dead letters, of whichever stage, to their table."""
        found: list[DeadLetter] = []
        for record in records:
            found += dead_letters.read(record.value, _place(record), self._clock.now())
        if found:
            self._books.append("dead_letters", b"\n".join(encoder.encode(letter) for letter in found))
            metrics.REFUSALS.inc(len(found))

    def _roll_up(self, minutes: set[Window]) -> int:
        """Steps 3 and 4, the newest minutes first: a backfill does not starve the live one. Return their events.

        Hours follow all their minutes and days all their hours, so that each is computed once a batch.
        """
        failpoint("before_rollup")
        events = 0
        for grain in GRAINS:
            windows = {widen(minute, grain) for minute in minutes}
            for chunk in chunks(windows, self._limits.chunk):
                lines = self._books.recompute(grain, chunk)
                self._publish(grain, lines)
                self._progress()
                if grain == "minute":
                    events += self._minute_checks.look(lines)
        failpoint("after_rollup")
        return events

    def _publish(self, grain: Grain, lines: Sequence[bytes]) -> None:
        metrics.WINDOWS.labels(grain).inc(len(lines))
        sent = []
        for line in lines:
            tenant = msgspec.json.decode(line, type=_Tenant).tenant.encode()
            sent.append((line, tenant, self._sink.send(ROLLUPS.name, line, tenant)))
        for line, tenant, future in sent:
            try:
                future.result(timeout=120)
            except OversizeError:
                metrics.OVERSIZE.inc()
                self._publish_less(line, tenant)

    def _publish_less(self, line: bytes, tenant: bytes) -> None:
        """Publish a window that no record holds: who reads it finds the whole in the rollup tables."""
        try:
            deliver(self._sink, ROLLUPS.name, [dead_letters.thin(line)], tenant)
        except OversizeError:
            deliver(self._sink, ROLLUPS.name, [dead_letters.bare(line)], tenant)

    def _note(self, started: float, written: float, done: float, *, minutes: int, events: int) -> None:
        metrics.LEDGER_SECONDS.observe(written - started)
        metrics.ROLLUP_SECONDS.observe(done - written)
        metrics.DIRTY.observe(minutes)
        limits = self._limits
        share, most = limits.rollup_share, limits.max_linger
        if events <= limits.throttle_above:
            share, most = max(share, _CHEAP_SHARE), min(most, _CHEAP_LINGER)
        self._pace = min(most, max(0.0, (done - written) / share - (done - started)))
        metrics.PACE.set(self._pace)


def _whole_minute(time: datetime) -> int:
    """Return the first whole minute that is not before `time`, Unix seconds."""
    return -(-int(time.timestamp()) // 60) * 60


class _Tenant(msgspec.Struct):
    tenant: str


def _place(record: Record) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset
