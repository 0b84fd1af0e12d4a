"""What the aggregator does with a batch. The order of the steps is the promise; do not change it.

1. read which minutes the records dirty, and which lines are bad
2. write the good lines to the ledger (bad ones become dead letters first: they must be durable too)
3. recompute the dirty minutes, then their hours, then their days, and
4. publish each window
5. (the loop) commit

A crash after any step repeats the steps before it, which changes nothing: the ledger keeps one row per
identity, and a window is a function of the ledger.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from outlay_aggregator import metrics
from outlay_aggregator.adapters.books import MalformedError
from outlay_aggregator.domain import heads, letters
from outlay_aggregator.domain.crowds import Crowd, Watched
from outlay_aggregator.domain.heads import BadLine
from outlay_aggregator.domain.statements import OTHER
from outlay_aggregator.domain.windows import GRAINS, Window, chunks, widen, window_of
from outlay_kit.clock import Clock
from outlay_kit.failpoints import failpoint
from outlay_kit.kafka import Batch, OversizeError, Record, RecordSink, deliver
from outlay_kit.telemetry import get_logger
from outlay_schemas.events import DeadLetter, Grain, encoder
from outlay_schemas.retention import RETENTION_DAYS
from outlay_schemas.topics import DEAD_LETTER, ROLLUPS

log = get_logger(__name__)
MOST_NAMED = 100
"""Producers that the metric of crowded minutes tells apart."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds the work."""

    chunk: int = 200
    rollup_share: float = 0.35
    max_linger: float = 1.0
    cells: int = 1000
    """Cells of a minute past which its largest producer is named."""
    retention: timedelta = timedelta(days=RETENTION_DAYS)
    """Older events are refused: the rest of their hour and day may be gone, and the sum would be wrong."""


class BookKeeper(Protocol):
    """Where the books are kept: `adapters.books.Books`."""

    def append(self, table: str, lines: bytes) -> None:
        """Write NDJSON rows. Raises Retryable; MalformedError if a line cannot be read."""
        ...

    def recompute(self, grain: Grain, windows: Sequence[Window]) -> list[bytes]:
        """Compute windows anew, store them, return one `RollupWindow` a line. Raises Retryable."""
        ...

    def repeated(self, counted: Mapping[Window, int]) -> list[Window]:
        """Return the minutes that have more rows than the events `counted`. Raises Retryable."""
        ...

    def keep_conflicts(self, minutes: Sequence[Window]) -> int:
        """Write down what differs under one identity; return how many rows that are. Raises Retryable."""
        ...

    def keep_crowds(self, minutes: Sequence[Window]) -> list[Crowd]:
        """Write down, and return, who makes most cells of minutes that have too many. Raises Retryable."""
        ...


class Aggregator:
    """Cost events in, ledger and rollups out."""

    def __init__(
        self,
        books: BookKeeper,
        sink: RecordSink,
        clock: Clock,
        limits: Limits | None = None,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        """`progress()` is called as a batch goes on: one with many windows is no stall."""
        self._books = books
        self._sink = sink
        self._clock = clock
        self._limits = limits or Limits()
        self._pace = 0.0
        self._progress = progress
        self._watched = Watched(self._limits.cells)
        self._named: set[tuple[str, str]] = set()

    def pace(self) -> float:
        """Return how long the next batch should gather so that recomputing keeps to its share of the time."""
        return self._pace

    def handle(self, batch: Batch) -> None:
        """Make a batch durable: ledger, rollups, messages. Raises Retryable: then commit none of it."""
        started = self._clock.monotonic()
        refused = [record for record in batch.records if record.topic == DEAD_LETTER.name]
        minutes = self._write([record for record in batch.records if record.topic != DEAD_LETTER.name])
        self._store_letters(refused)
        failpoint("after_ledger")
        written = self._clock.monotonic()
        if minutes:
            self._roll_up(minutes)
        self._note(started, written, self._clock.monotonic(), len(minutes))

    def _write(self, records: Sequence[Record]) -> set[Window]:
        """Steps 1 and 2. Return the dirty minutes."""
        oldest = self._clock.now() - self._limits.retention
        readings = [heads.read(record.value, oldest) for record in records]
        for record, reading in zip(records, readings, strict=True):
            self._refuse(record, reading.bad)
        body = b"\n".join(reading.body for reading in readings if reading.events)
        if not body:
            return set()
        metrics.EVENTS.inc(sum(reading.events for reading in readings))
        metrics.BYTES.inc(len(body))
        try:
            self._books.append("ledger", body)
        except MalformedError:
            return {minute for record in records for minute in self._write_apart(record)}
        return {minute for reading in readings for minute in reading.minutes}

    def _write_apart(self, record: Record) -> frozenset[Window]:
        """Write a record whose batch the engine refused: its bad lines become dead letters.

        Return the minutes of the lines that were written: a minute in which none was is not dirty.
        """
        lines = [(n, line) for n, line in enumerate(record.value.split(b"\n")) if line.strip()]
        oldest = self._clock.now() - self._limits.retention
        bad = {n: why for n, line in lines if (why := heads.why(line, n, oldest))}
        self._refuse(record, list(bad.values()))
        written = self._halve(record, [(n, line) for n, line in lines if n not in bad])
        return heads.read(b"\n".join(written)).minutes

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
            letters.dead_letter(record.topic, record.partition, record.offset, b, self._clock.now())
            for b in bad
        ]
        for line in map(encoder.encode, found):
            try:
                deliver(self._sink, DEAD_LETTER.name, [line])
            except OversizeError:  # base64 is a third larger than the record that it was in
                self._books.append("dead_letters", line)
        metrics.POISON.inc(len(found))

    def _store_letters(self, records: Sequence[Record]) -> None:
        """Write dead letters, of whichever stage, to their table."""
        found: list[DeadLetter] = []
        for record in records:
            found += letters.read(
                record.value, record.topic, record.partition, record.offset, self._clock.now()
            )
        if found:
            self._books.append("dead_letters", b"\n".join(encoder.encode(letter) for letter in found))
            metrics.REFUSALS.inc(len(found))

    def _roll_up(self, minutes: set[Window]) -> None:
        """Steps 3 and 4, the newest minutes first: a backfill does not starve the live one.

        Hours follow all their minutes and days all their hours, so that each is computed once a batch.
        """
        failpoint("before_rollup")
        for grain in GRAINS:
            windows = {widen(minute, grain) for minute in minutes}
            for chunk in chunks(windows, self._limits.chunk):
                lines = self._books.recompute(grain, chunk)
                self._publish(grain, lines)
                self._progress()
                if grain == "minute":
                    self._look_at([_count_decoder.decode(line) for line in lines])
        failpoint("after_rollup")

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
            deliver(self._sink, ROLLUPS.name, [letters.thin(line)], tenant)
        except OversizeError:
            deliver(self._sink, ROLLUPS.name, [letters.bare(line)], tenant)

    def _look_at(self, windows: Sequence["_Counted"]) -> None:
        """Keep what came twice and differs, before the engine merges it to one row; name who crowds a minute.

        Minutes in which nothing came twice, which is nearly all, cost one count.
        """
        minutes = {window_of(w.tenant, w.window, "minute"): w.groups for w in windows}
        counted = {window: sum(g.events for g in groups) for window, groups in minutes.items()}
        repeated = self._books.repeated(counted)
        if repeated and (rows := self._books.keep_conflicts(repeated)):
            metrics.CONFLICTS.inc(rows)
            log.warning("events under one identity differ; see: outlay audit", rows=rows)
        crowded = [
            window
            for window, groups in minutes.items()
            if self._watched.due(window, (g.user for g in groups), [g.events for g in groups])
        ]
        for crowd in self._books.keep_crowds(crowded) if crowded else ():
            self._name(crowd)

    def _name(self, crowd: Crowd) -> None:
        """Say who it is. A metric has few labels, so that the hundredth producer shares one with all after it."""
        who = (crowd.tenant, crowd.source[:200])
        if who not in self._named and len(self._named) >= MOST_NAMED:
            who = (OTHER, OTHER)
        self._named.add(who)
        metrics.CROWDED.labels(*who).set(crowd.cells)
        log.warning(
            "a producer sends more values in a minute than its rollup names",
            tenant=crowd.tenant, source=crowd.source[:200], dimension=crowd.dimension, distinct=crowd.distinct,
            cells=crowd.cells, events=crowd.events,
        )  # fmt: skip

    def _note(self, started: float, written: float, done: float, minutes: int) -> None:
        metrics.LEDGER_SECONDS.observe(written - started)
        metrics.ROLLUP_SECONDS.observe(done - written)
        metrics.DIRTY.observe(minutes)
        wanted = (done - written) / self._limits.rollup_share - (done - started)
        self._pace = min(self._limits.max_linger, max(0.0, wanted))
        metrics.PACE.set(self._pace)


class _Tenant(msgspec.Struct):
    tenant: str


class _Group(msgspec.Struct):
    user: str
    events: int


class _Counted(msgspec.Struct):
    tenant: str
    window: datetime
    groups: list[_Group]


_count_decoder = msgspec.json.Decoder(_Counted)
