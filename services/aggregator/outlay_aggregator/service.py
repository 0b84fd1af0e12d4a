"""What the aggregator does with a batch. The order of the steps is the promise; do not change it.

1. read the minutes that the records change, and find bad lines
2. write the good lines to the ledger (the dead letters of bad ones first: they must be durable too), and retract
   events that came again with another time (identities.py)
3. ask the owners of the changed minutes to recompute them (owners.py), but for those that are this process's
4. recompute these and what others asked for, then their hours, then their days, and
5. publish each window
6. (the loop) commit

Old and future minutes, of which there may be ten thousands, and those of tenants whose windows take long, may wait so
that the others do not (aside.py); the batches that brought them stay uncommitted until then (docs/adr/0013).

A crash after any step repeats the steps before it, which changes nothing: the ledger keeps one row per identity, and
a window is a function of the ledger.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from outlay_aggregator import metrics, owners
from outlay_aggregator.adapters.ledger_store import LedgerStore, MalformedError
from outlay_aggregator.aside import Aside
from outlay_aggregator.domain import dead_letters, record_parser
from outlay_aggregator.domain.record_parser import BadLine
from outlay_aggregator.domain.windows import Window
from outlay_aggregator.identities import Identities, settle
from outlay_aggregator.owners import Owners
from outlay_aggregator.rollups import Rollups
from outlay_aggregator.settings import Settings
from outlay_kit.broker import Batch, OversizeError, Record, RecordSink
from outlay_kit.clock import Clock
from outlay_kit.failpoints import failpoint
from outlay_kit.telemetry import get_logger
from outlay_kit.tracing import MOST_IN_BATCH, parents
from outlay_schemas.dead_letters import dead_letter
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import DeadLetter, encoder
from outlay_schemas.topics import DEAD_LETTER, RECOMPUTE

if TYPE_CHECKING:
    from outlay_kit.otel import Tracing

log = get_logger(__name__)
_CHEAP_SHARE = 0.2
_CHEAP_LINGER = 1.0
_LIVE, _AHEAD = timedelta(hours=2), timedelta(minutes=5)
"""Minutes younger than this never wait; those further ahead do: a producer may name a whole day of them."""
_MOST_INSERTS = 100
"""Inserts that search a tenant's lines in a batch for those that the engine refuses."""


class Line(NamedTuple):
    """A line of a record."""

    tenant: str
    record: Record
    number: int
    body: bytes


class Aggregator:
    """Writes cost events to the ledger and rolls them up."""

    def __init__(
        self,
        store: LedgerStore,
        sink: RecordSink,
        clock: Clock,
        settings: Settings | None = None,
        progress: Callable[[], None] = lambda: None,
        *,
        owners: Owners,
        tracing: "Tracing | None" = None,
        aside: Aside | None = None,
    ) -> None:
        """`progress()` is called during a batch: a batch with many windows is not a stall. `aside`: works on what may
        wait, in a thread and with a store of its own; without it, that is done at the end of each batch."""
        self._store, self._sink, self._clock, self._owners = store, sink, clock, owners
        self._settings = settings or Settings()
        self._progress, self._tracing = progress, tracing
        self._pace = 0.0
        self._batches = 0
        self._rollups = Rollups(store, sink, self._settings)
        self._aside = aside or Aside(self._rollups, clock, self._settings, progress)
        self._identities = Identities(store, self._settings.identity_filter_bits)

    def pace(self) -> float:
        """Return how long the next batch should gather so that recomputation keeps to its share of the time."""
        return self._pace

    def settled(self) -> int:
        """Return how many batches with records, counted from the first, are durable with all their windows."""
        return self._aside.settled(self._batches)

    def handled(self) -> int:
        """Return how many batches are durable but for old minutes that wait: those delay no one."""
        return self._aside.handled(self._batches)

    def handle(self, batch: Batch) -> None:
        """Make a batch durable: ledger, rollups, messages, except old minutes that wait (`settled`).

        An empty batch works on the minutes that wait. Raises Retryable: then commit none of it.
        """
        started = self._clock.monotonic()
        special = (DEAD_LETTER.name, RECOMPUTE.name)
        records = [record for record in batch.records if record.topic not in special]
        self._identities.follow(records)
        minutes, sizes = self._write(records)
        self._store_dead_letters([record for record in batch.records if record.topic == DEAD_LETTER.name])
        failpoint("after_ledger")
        minutes = self._owners.keep(minutes, sizes, [each for record in records for each in record.headers])
        failpoint("after_asking")
        asked, of_others = self._asked([record for record in batch.records if record.topic == RECOMPUTE.name])
        minutes |= asked
        written = self._clock.monotonic()
        live = self._put_off(minutes, sizes + of_others)
        events = self._roll_up(live) if live else 0
        if batch.records:
            done = self._clock.monotonic()
            self._note(started, written, done, minutes=len(minutes), events=events)
            if self._tracing is not None:
                now, seconds = self._clock.now(), (written - started, done - written)
                note_batch(self._tracing, batch.records, now, seconds, len(live))
        self._aside.turn(idle=not batch.records)
        self._batches += bool(batch.records)
        self._identities.done(records)

    def _asked(self, records: Sequence[Record]) -> tuple[set[Window], Counter[str]]:
        """Return the minutes that other aggregators ask for, and the bytes of events behind them, by tenant."""
        found, bad = [], []
        for record in records:
            try:
                found += owners.read(record.value)
            except UNREADABLE as error:
                bad.append((record, BadLine(record.value, 1, "recompute_unreadable", str(error))))
        self._refuse(bad)
        return owners.asked(found)

    def _put_off(self, minutes: set[Window], sizes: Mapping[str, int]) -> set[Window]:
        now = self._clock.now()
        since, until = int((now - _LIVE).timestamp()), int((now + _AHEAD).timestamp())
        live = {minute for minute in minutes if since <= minute.start <= until}
        slow = self._aside.slow(sizes)
        waiting = {minute for minute in live if minute.tenant in slow}
        self._aside.put_off(minutes - live, waiting, self._batches + 1)
        return live - waiting

    def _roll_up(self, minutes: set[Window]) -> int:
        """Do steps 4 and 5; return the events."""
        started = self._clock.monotonic()
        done = self._rollups.roll_up(minutes, self._progress)
        self._aside.note(done, self._clock.monotonic() - started)
        return done.events

    def _write(self, records: Sequence[Record]) -> tuple[set[Window], Counter[str]]:
        """Do steps 1 and 2; return the changed minutes, and the bytes of each tenant."""
        oldest = self._clock.now() - timedelta(days=self._settings.retention_days)
        readings = [record_parser.read(record.value, oldest, self._identities.seen) for record in records]
        self._refuse([(r, bad) for r, reading in zip(records, readings, strict=True) for bad in reading.bad])
        body = b"\n".join(reading.body for reading in readings if reading.events)
        sizes = Counter[str]()
        for reading in readings:
            tenants = {minute.tenant for minute in reading.minutes}  # nearly always one
            for tenant in tenants:
                sizes[tenant] += len(reading.body) // len(tenants)
        if not body:
            return set(), sizes
        metrics.EVENTS.inc(sum(reading.events for reading in readings))
        metrics.BYTES.inc(len(body))
        try:
            self._store.append("ledger_input", body)
            minutes = {minute for reading in readings for minute in reading.minutes}
        except MalformedError:
            minutes = self._write_checked(records, oldest)
        failpoint("after_insert")
        suspects = [suspect for reading in readings for suspect in reading.suspects]
        minutes |= settle(self._store, suspects, -(-int(oldest.timestamp()) // 60) * 60)
        return minutes, sizes

    def _write_checked(self, records: Sequence[Record], oldest: datetime) -> set[Window]:
        """Write records of which the engine refused a line; return the minutes of the lines that were written."""
        lines: list[Line] = []
        for record in records:
            good, bad = record_parser.check(record.value, oldest)
            self._refuse([(record, line) for line in bad])
            lines += [Line(tenant, record, number, line) for tenant, number, line in good]
        lines.sort(key=lambda line: line.tenant)
        written = self._bisect(lines)
        return set(record_parser.read(b"\n".join(written)).minutes)

    def _bisect(self, lines: list[Line]) -> list[bytes]:
        """Write lines, sorted by tenant; halve what the engine refuses, between tenants first. Return what was written.

        The search costs each tenant a bounded number of inserts; what is not found by then is refused with the rest.
        """
        written: list[bytes] = []
        waiting, inserts = [lines] if lines else [], Counter[str]()
        while waiting:
            part = waiting.pop()
            first, last = part[0].tenant, part[-1].tenant
            inserts[first] += first == last
            try:
                self._store.append("ledger_input", b"\n".join(line.body for line in part))
                written += [line.body for line in part]
            except MalformedError as error:
                middle = bisect_left(part, part[len(part) // 2].tenant, key=lambda line: line.tenant)
                middle = middle or bisect_right(part, first, key=lambda line: line.tenant)
                if first == last:
                    middle = len(part) // 2
                if middle and inserts[first] < _MOST_INSERTS:
                    waiting += [part[middle:], part[:middle]]
                else:
                    why = str(error)[:1000]
                    self._refuse([(x.record, BadLine(x.body, x.number, "ledger_refused", why)) for x in part])
            self._progress()
        return written

    def _refuse(self, bad: Sequence[tuple[Record, BadLine]]) -> None:
        now = self._clock.now()
        found = [
            dead_letter("aggregator", b.body, b, now, line=b.line, place=_place(record)) for record, b in bad
        ]
        sent = [(line, self._sink.send(DEAD_LETTER.name, line)) for line in map(encoder.encode, found)]
        for line, future in sent:
            try:
                future.result(timeout=120)
            except OversizeError:  # base64 is a third larger than the record that it was in
                self._store.append("dead_letters", line)
        if found:
            metrics.POISON.inc(len(found))
            first, record = found[0], bad[0][0]
            where = f"{record.topic}/{record.partition}/{record.offset}"
            log.warning("dead letters", count=len(found), code=first.code, dead_letter=first.id, record=where)

    def _store_dead_letters(self, records: Sequence[Record]) -> None:
        now = self._clock.now()
        found = [each for record in records for each in dead_letters.read(record.value, _place(record), now)]
        if not found:
            return
        try:
            self._store_rows(found)
        except MalformedError as error:  # keep the bytes of each as those of one that the table can hold
            reason = Invalid("dead_letter_invalid", str(error)[:1000])
            self._store_rows(
                dead_letter("aggregator", encoder.encode(each), reason, now, line=0) for each in found
            )
        metrics.REFUSALS.inc(len(found))

    def _store_rows(self, rows: Iterable[DeadLetter]) -> None:
        self._store.append("dead_letters", b"\n".join(map(encoder.encode, rows)))

    def _note(self, started: float, written: float, done: float, *, minutes: int, events: int) -> None:
        metrics.LEDGER_SECONDS.observe(written - started)
        metrics.ROLLUP_SECONDS.observe(done - written)
        metrics.DIRTY.observe(minutes)
        share, most = self._settings.rollup_share, self._settings.max_linger_seconds
        if events <= self._settings.throttle_above_events:
            share, most = max(share, _CHEAP_SHARE), min(most, _CHEAP_LINGER)
        self._pace = min(most, max(0.0, (done - written) / share - (done - started)))
        metrics.PACE.set(self._pace)


def _place(record: Record) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset


def note_batch(
    tracing: "Tracing", records: Sequence[Record], end: datetime, seconds: tuple[float, float], minutes: int
) -> None:
    """Note a batch that is durable at `end`: `seconds` of the ledger, then of the rollups of so many minutes."""
    written = end - timedelta(seconds=seconds[1])
    begun = written - timedelta(seconds=seconds[0])
    own = [record for record in records if record.topic != RECOMPUTE.name]
    if found := _parents(own):
        tracing.note("write to the ledger", found, begun, written, {"outlay.records": len(own)})
    if minutes and (found := _parents(records)):
        tracing.note("roll up", found, written, end, {"outlay.minutes": minutes})


def _parents(records: Iterable[Record]) -> list[str]:
    headers = (parents(record.headers, MOST_IN_BATCH) for record in records if record.headers)
    return list(islice(chain.from_iterable(headers), MOST_IN_BATCH))
