"""Audits accepted events: each is in the ledger, dead-lettered or in flight.

This can be checked for as long as Kafka keeps `usage.events` (7 days by default): each line of the topic is looked up
by its identity. Lines that the pricer's group has not committed are in flight. The others were priced into
`cost.events` or are dead letters, and are stored when the aggregator's group has committed those. A line that is in
none of these places is missing, and named.
"""

# ruff: noqa: S608 (what is pasted are constants of ours, and names of scratch tables)

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC

from outlay_aggregator.adapters.audit import NAMED, SPAN_ROWS, Conflict
from outlay_aggregator.adapters.scratch import scratch_tables
from outlay_aggregator.domain.rollup_sql import TENANTS
from outlay_kit.broker import Record
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.offsets import Offsets, Places, behind
from outlay_schemas.cloudevents import from_record, open_envelope
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import UsageEvent, dead_letter_decoder, usage_event_decoder
from outlay_schemas.topics import COST_EVENTS, DEAD_LETTER, usage_topics

_CHUNK = 16 * 2**20


@dataclass
class Balance:
    """Where the accepted lines of a tenant are. A line that was sent twice counts twice."""

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
    """The balance of each tenant, the lines that the pricer has not read yet, and conflicts."""

    balances: list[Balance]
    unpriced_lines: int
    conflicts: list[Conflict]

    @property
    def missing(self) -> int:
        """Lines that are in no place."""
        return sum(balance.missing for balance in self.balances)


class AcceptedEventsAudit:
    """Reads Kafka; writes scratch tables, which it drops."""

    def __init__(
        self, clickhouse: ClickHouseClient, offsets: Offsets, clock: Clock, pricer_group: str, group: str
    ) -> None:
        """`group`: the aggregator's."""
        self._clickhouse, self._offsets, self._clock = clickhouse, offsets, clock
        self._pricer, self._aggregator = pricer_group, group

    def check(
        self,
        tenants: Sequence[str] = (),
        patience: float = 30,
        progress: Callable[[int], None] = lambda _: None,
    ) -> AcceptedEvents:
        """Look up every accepted line; call `progress(lines)` as they are read.

        Waits up to `patience` seconds until the aggregator has written what the pricer had priced. Raises Retryable.
        """
        usage = usage_topics(self._offsets.topics())
        name = f"audit_{uuid.uuid4().hex[:12]}"
        in_flight = f"{name}_in_flight"
        accepted = {topic: f"{name}_{number}" for number, topic in enumerate(usage)}
        tables = {in_flight: _scratch(in_flight)}
        tables |= {table: _scratch(table, usage[topic]) for topic, table in accepted.items()}
        with scratch_tables(self._clickhouse, tables):
            return self._check(accepted, in_flight, tenants, patience, progress)

    def _check(
        self,
        accepted: Mapping[str, str],
        in_flight: str,
        tenants: Sequence[str],
        patience: float,
        progress: Callable[[int], None],
    ) -> AcceptedEvents:
        priced = {topic: self._offsets.committed(self._pricer, topic) for topic in accepted}
        ends = {topic.name: self._offsets.ends(topic.name) for topic in (COST_EVENTS, DEAD_LETTER)}
        lines, waiting = {}, 0
        for topic, table in accepted.items():
            start = self._offsets.starts(topic)
            lines[table] = self._copy(table, topic, start, priced[topic], progress)
            waiting += self._count(topic, priced[topic], self._offsets.ends(topic))
        self._wait(ends, patience)
        for topic, end in ends.items():
            low = self._offsets.committed(self._aggregator, topic)
            self._copy(in_flight, topic, low, end, lambda _: None)
        balances: dict[str, Balance] = {}
        conflicts: list[Conflict] = []
        for table, count in lines.items():
            self._balance(balances, table, in_flight, tenants, count // SPAN_ROWS + 1)
            conflicts += self._conflicts(table, tenants)
        return AcceptedEvents([balances[tenant] for tenant in sorted(balances)], waiting, conflicts)

    def _wait(self, ends: dict[str, Places], patience: float) -> None:
        until = self._clock.monotonic() + patience
        while self._clock.monotonic() < until:
            if not any(behind(self._offsets.committed(self._aggregator, t), end) for t, end in ends.items()):
                return
            self._clock.sleep(0.5)

    def _copy(
        self, table: str, topic: str, low: Places, high: Places, progress: Callable[[int], None]
    ) -> int:
        """Write the lines of a topic to a scratch table, of dead letters their bodies; return how many."""
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
            progress(lines)

        self._offsets.read(topic, low, high, take)
        flush()
        return lines

    def _count(self, topic: str, low: Places, high: Places) -> int:
        counts: list[int] = []
        self._offsets.read(topic, low, high, lambda record: counts.append(len(_lines(record))))
        return sum(counts)

    def _balance(
        self, balances: dict[str, Balance], accepted: str, in_flight: str, tenants: Sequence[str], parts: int
    ) -> None:
        for part in range(parts):
            bound = {"tenants": list(tenants), "parts": parts, "part": part}
            for row in self._clickhouse.rows(_balance(accepted, in_flight), bound):
                balance = balances.setdefault(row["tenant"], Balance(row["tenant"]))
                where = row["where_is"]
                setattr(balance, where, getattr(balance, where) + row["lines"])
                if where == "ledger":
                    balance.events += row["events"]
                elif where == "missing":
                    balance.first_missing = (balance.first_missing + row["first"])[:NAMED]

    def _conflicts(self, accepted: str, tenants: Sequence[str]) -> list[Conflict]:
        bound = {"tenants": list(tenants), "most": NAMED}
        events: dict[tuple[str, str, str], list[UsageEvent]] = {}
        for row in self._clickhouse.rows(_differing_lines(accepted), bound):
            if (event := _event(row["line"])) is not None:  # else it is a dead letter
                bodies = events.setdefault((event.tenant, event.source, event.id), [])
                if event not in bodies:
                    bodies.append(event)
        found = []
        for key, bodies in ((key, bodies) for key, bodies in events.items() if len(bodies) > 1):
            first, last = (pick(event.time for event in bodies) for pick in (min, max))
            same = first.replace(microsecond=0) == last.replace(microsecond=0)
            kind = "another body" if same else "another time"
            times = (
                f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}" for at in (first, last)
            )  # as the engine does
            found.append(Conflict(*key, kind, len(bodies), *times))
        return found


def _lines(record: Record) -> list[bytes]:
    alone = from_record(record.value, record.headers)
    lines = record.value.split(b"\n") if alone is None else [alone]
    return [line for line in lines if line.strip()]


def _event(line: str) -> UsageEvent | None:
    for read in (usage_event_decoder.decode, open_envelope):
        try:
            return read(line.encode())
        except (*UNREADABLE, ValueError, Invalid):
            continue
    return None


def _bodies(record: Record) -> list[bytes]:
    bodies = []
    for line in _lines(record):
        try:
            bodies.append(dead_letter_decoder.decode(line).body.replace(b"\n", b" "))
        except (*UNREADABLE, ValueError):
            bodies.append(line)
    return bodies


_IDENTITY = "cityHash64(tenant, source, id, minute)"
_TENANT = "coalesce(nullIf(JSONExtractString({0}, 'tenant'), ''), JSONExtractString({0}, 'data', 'tenant'))"
"""Tenant of a usage event, plain or in a CloudEvents envelope."""


def _scratch(table: str, tenant: str = "") -> str:
    """Return the statement that creates a scratch table for the lines of a topic; `tenant`: its only tenant, if any."""
    owner = f"'{tenant}'" if tenant else _TENANT.format("line")
    return f"""
CREATE TABLE IF NOT EXISTS {table}
(
    line String CODEC(ZSTD(1)),
    tenant String MATERIALIZED {owner},
    source String MATERIALIZED JSONExtractString(line, 'source'),
    id String MATERIALIZED JSONExtractString(line, 'id'),
    time DateTime64(6, 'UTC') MATERIALIZED parseDateTime64BestEffortOrZero(
        JSONExtractString(line, 'time'), 6, 'UTC'),
    minute DateTime('UTC') MATERIALIZED toStartOfMinute(time),
    identity UInt64 MATERIALIZED {_IDENTITY},
    body UInt64 MATERIALIZED cityHash64(line)
)
ENGINE = MergeTree ORDER BY identity COMMENT 'Scratch table of a running audit; drop it if no audit runs'"""


def _balance(accepted: str, in_flight: str) -> str:
    """Return the statement that counts where accepted lines are, by tenant, of part `part` of `parts`."""
    part = "{parts:UInt32} = {part:UInt32}"
    return f"""
SELECT tenant, where_is, count() AS lines, uniqExact(identity) AS events,
    groupArray(3)(concat(source, ' ', id)) AS first
FROM (
    SELECT tenant, source, id, identity, multiIf(
        identity IN (SELECT {_IDENTITY} AS h FROM ledger WHERE h % {part} AND minute GLOBAL IN (
            SELECT DISTINCT minute FROM {accepted})), 'ledger',
        body IN (SELECT cityHash64(original) FROM dead_letters FINAL WHERE stage = 'pricer'), 'dead',
        identity IN (
            SELECT cityHash64(JSONExtractString(original, 'tenant'), JSONExtractString(original, 'source'),
                JSONExtractString(original, 'id'), toStartOfMinute(parseDateTime64BestEffortOrZero(
                JSONExtractString(original, 'time'), 6, 'UTC')))
            FROM dead_letters FINAL WHERE stage = 'aggregator'), 'dead',
        identity IN (SELECT identity FROM {in_flight}), 'in_flight', 'missing') AS where_is
    FROM {accepted} WHERE identity % {part} AND {TENANTS})
GROUP BY tenant, where_is"""


def _differing_lines(accepted: str) -> str:
    return f"""
SELECT line FROM {accepted} WHERE (tenant, source, id) IN (
    SELECT tenant, source, id FROM {accepted} WHERE id != '' AND {TENANTS}
    GROUP BY tenant, source, id HAVING min(body) != max(body) LIMIT {{most:UInt32}})"""
