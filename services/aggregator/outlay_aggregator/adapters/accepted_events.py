"""Whether everything that was accepted is somewhere: accepted = in the ledger + dead-lettered + in flight.

Checkable for as long as Kafka keeps `usage.events` (7 days by default): each line of the topic is looked
for by its identity. What the pricer's group has not committed is in flight; what it has is priced into
`cost.events` or is a dead letter, and is in the ledger or the table of dead letters when the aggregator's
group has committed that. What is in neither place is missing, and named.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from outlay_aggregator.adapters.audit import NAMED, SPAN_ROWS, Conflict
from outlay_aggregator.domain import audit_sql
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.kafka import Record
from outlay_kit.offsets import Offsets, Places, behind
from outlay_schemas.cloudevents import from_record, open_envelope
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent, dead_letter_decoder, usage_event_decoder
from outlay_schemas.topics import COST_EVENTS, DEAD_LETTER, usage_topics

_CHUNK = 16 * 2**20


@dataclass
class Balance:
    """Where the accepted lines of a tenant are. A line that was sent twice counts twice, where it is."""

    tenant: str
    ledger: int = 0
    events: int = 0
    """Distinct events among the lines in the ledger."""
    dead: int = 0
    in_flight: int = 0
    missing: int = 0
    first_missing: list[str] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """All lines."""
        return self.ledger + self.dead + self.in_flight + self.missing


@dataclass(frozen=True, slots=True)
class AcceptedEvents:
    """The balance of each tenant, the lines that the pricer has not read yet, and what differs."""

    balances: list[Balance]
    unpriced_lines: int
    conflicts: list[Conflict]

    @property
    def missing(self) -> int:
        """Lines that are nowhere."""
        return sum(balance.missing for balance in self.balances)


class AcceptedEventsAudit:
    """Reads Kafka; writes scratch tables, which it drops."""

    def __init__(
        self,
        clickhouse: ClickHouseClient,
        offsets: Offsets,
        clock: Clock,
        pricer_group: str,
        aggregator_group: str,
    ) -> None:
        self._clickhouse = clickhouse
        self._offsets = offsets
        self._clock = clock
        self._pricer, self._aggregator = pricer_group, aggregator_group

    def check(
        self, tenants: Sequence[str] = (), patience: float = 30, told: Callable[[int], None] = lambda _: None
    ) -> AcceptedEvents:
        """Look for every accepted line; `told(lines)` as they are read.

        Waits up to `patience` seconds for the aggregator to be as far as the pricer was; what is still
        under way then is counted as in flight. Raises Retryable.
        """
        usage = usage_topics(self._offsets.topics())
        name = f"audit_{uuid.uuid4().hex[:12]}"
        in_flight = f"{name}_moving"
        accepted = {topic: f"{name}_{number}" for number, topic in enumerate(usage)}
        try:
            self._clickhouse.command(audit_sql.scratch(in_flight))
            for topic, table in accepted.items():
                self._clickhouse.command(audit_sql.scratch(table, usage[topic]))
            return self._check(accepted, in_flight, tenants, patience, told)
        finally:
            for table in (in_flight, *accepted.values()):
                self._clickhouse.command(f"DROP TABLE IF EXISTS {table}")

    def _check(
        self,
        accepted: Mapping[str, str],
        in_flight: str,
        asked: Sequence[str],
        patience: float,
        told: Callable[[int], None],
    ) -> AcceptedEvents:
        """`accepted`: the table for the lines of each topic of usage."""
        priced = {topic: self._offsets.committed(self._pricer, topic) for topic in accepted}
        ends = {topic.name: self._offsets.ends(topic.name) for topic in (COST_EVENTS, DEAD_LETTER)}
        lines, waiting = {}, 0
        for topic, table in accepted.items():
            start = self._offsets.starts(topic)
            lines[table] = self._keep(table, topic, start, priced[topic], told)
            waiting += self._count(topic, priced[topic], self._offsets.ends(topic))
        self._wait(ends, patience)
        for topic, end in ends.items():
            self._keep(in_flight, topic, self._offsets.committed(self._aggregator, topic), end, _silent)
        found: dict[str, Balance] = {}
        conflicts: list[Conflict] = []
        for table, count in lines.items():
            self._balance(found, table, in_flight, asked, count // SPAN_ROWS + 1)
            conflicts += self._conflicts(table, asked)
        return AcceptedEvents([found[tenant] for tenant in sorted(found)], waiting, conflicts)

    def _wait(self, ends: dict[str, Places], patience: float) -> None:
        until = self._clock.monotonic() + patience
        while self._clock.monotonic() < until:
            if not any(behind(self._offsets.committed(self._aggregator, t), end) for t, end in ends.items()):
                return
            self._clock.sleep(0.5)

    def _keep(self, table: str, topic: str, low: Places, high: Places, told: Callable[[int], None]) -> int:
        """Write the lines of a topic to a scratch table; those of dead letters are their bytes."""
        chunk: list[bytes] = []
        size = lines = 0

        def take(record: Record) -> None:
            nonlocal size, lines
            found = _bodies(record) if topic == DEAD_LETTER.name else _lines(record)
            chunk.extend(found)
            size += len(record.value)
            lines += len(found)
            if size > _CHUNK:
                flush()

        def flush() -> None:
            nonlocal size
            if chunk:
                self._clickhouse.insert_lines(table, b"\n".join(chunk), "LineAsString")
            chunk.clear()
            size = 0
            told(lines)

        self._offsets.read(topic, low, high, take)
        flush()
        return lines

    def _count(self, topic: str, low: Places, high: Places) -> int:
        lines = 0

        def take(record: Record) -> None:
            nonlocal lines
            lines += len(_lines(record))

        self._offsets.read(topic, low, high, take)
        return lines

    def _balance(
        self, found: dict[str, Balance], accepted: str, in_flight: str, asked: Sequence[str], parts: int
    ) -> None:
        """Add where the lines of a table are to `found`."""
        for part in range(parts):
            bound = {"tenants": list(asked), "parts": parts, "part": part}
            for row in self._clickhouse.rows(audit_sql.balance(accepted, in_flight), bound):
                balance = found.setdefault(row["tenant"], Balance(row["tenant"]))
                where = row["where_is"]
                setattr(balance, where, getattr(balance, where) + row["lines"])
                if where == "ledger":
                    balance.events += row["events"]
                elif where == "missing":
                    balance.first_missing = (balance.first_missing + row["first"])[:NAMED]

    def _conflicts(self, accepted: str, asked: Sequence[str]) -> list[Conflict]:
        """Return what was sent under one identity and is not the same event, however it was written."""
        bound = {"tenants": list(asked), "most": NAMED}
        events: dict[tuple[str, str, str], list[UsageEvent]] = {}
        for row in self._clickhouse.rows(audit_sql.differing_lines(accepted), bound):
            event = _event(row["line"])
            if event is None:
                continue  # a dead letter
            bodies = events.setdefault((event.tenant, event.source, event.id), [])
            if event not in bodies:
                bodies.append(event)
        return [_conflict(*key, bodies) for key, bodies in events.items() if len(bodies) > 1]


def _lines(record: Record) -> list[bytes]:
    """The lines of a record; a CloudEvent is one."""
    alone = from_record(record.value, record.headers)
    lines = record.value.split(b"\n") if alone is None else [alone]
    return [line for line in lines if line.strip()]


def _event(line: str) -> UsageEvent | None:
    for read in (usage_event_decoder.decode, open_envelope):
        try:
            return read(line.encode())
        except (msgspec.MsgspecError, ValueError, Invalid):
            continue
    return None


def _bodies(record: Record) -> list[bytes]:
    """The lines that dead letters are about."""
    bodies = []
    for line in _lines(record):
        try:
            bodies.append(dead_letter_decoder.decode(line).body.replace(b"\n", b" "))
        except (msgspec.MsgspecError, ValueError):
            bodies.append(line)
    return bodies


def _conflict(tenant: str, source: str, event_id: str, bodies: Sequence[UsageEvent]) -> Conflict:
    times = sorted(event.time for event in bodies)
    kind = (
        "another time"
        if times[0].replace(microsecond=0) != times[-1].replace(microsecond=0)
        else "another body"
    )
    return Conflict(tenant, source, event_id, kind, len(bodies), times[0].isoformat(), times[-1].isoformat())


def _silent(_: int) -> None:
    """Tell nothing."""
