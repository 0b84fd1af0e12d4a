"""Dead letters: listed, shown, fixed and sent again, each once."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from outlay_aggregator.domain import record_parser
from outlay_aggregator.domain.edits import Edit, apply
from outlay_kit.broker import RecordSink, deliver
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock, SystemClock
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent, encoder, usage_event_decoder
from outlay_schemas.identity import partition_of
from outlay_schemas.topics import COST_EVENTS, USAGE_EVENTS
from outlay_schemas.validate import check_usage_event


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters; an empty value matches any."""

    tenant: str = ""
    stage: str = ""
    code: str = ""
    ids: Sequence[str] = ()
    since: datetime | None = None
    contains: str = ""
    replayed: bool = False
    """Whether to include those that were replayed."""
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A row of the table."""

    id: str
    tenant: str
    stage: str
    code: str
    message: str
    path: str
    at: datetime
    topic: str
    partition: int
    offset: int
    line: int
    body: bytes
    replayed: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay of a dead dead_letter sends, and its topic; or why it cannot be sent."""

    dead_letter: StoredDeadLetter
    lines: Sequence[bytes] = ()
    topic: str = ""
    refusal: str = ""

    @property
    def body(self) -> bytes:
        """The lines as one."""
        return b"\n".join(self.lines)


_WHERE = """
    (empty({tenant:String}) OR tenant = {tenant:String}) AND (empty({stage:String}) OR stage = {stage:String})
    AND (empty({code:String}) OR code = {code:String}) AND (empty({ids:Array(String)}) OR id IN {ids:Array(String)})
    AND at >= toDateTime({since:UInt32}, 'UTC')
    AND (empty({contains:String}) OR position(original, {contains:String}) > 0)
    AND ({replayed:Bool} OR (tenant, id) NOT IN (SELECT tenant, id FROM dead_letter_replays))"""
_FOUND = f"""
SELECT id, tenant, stage, code, message, path, toUnixTimestamp64Micro(at) AS micros, topic, partition, offset, line,
    hex(original) AS bytes, (tenant, id) IN (SELECT tenant, id FROM dead_letter_replays) AS replayed
FROM dead_letters FINAL WHERE {_WHERE} ORDER BY at, id LIMIT {{limit:UInt32}}"""  # noqa: S608
_COUNTS = f"""
SELECT tenant, stage, code, count() AS dead_letters, toString(min(at)) AS first, toString(max(at)) AS last
FROM dead_letters FINAL WHERE {_WHERE} GROUP BY tenant, stage, code ORDER BY dead_letters DESC"""  # noqa: S608

Open = Callable[[bytes, str], UsageEvent]
"""Reads a usage event from refused bytes, and sets its tenant. Raises Invalid."""
_AHEAD = timedelta(days=1)
_PIECE = 100
"""Dead letters that are sent before they are marked."""
_STAMP = (Edit.delete("accepted_ms"), Edit.delete("accepted_seq"))


def plain(body: bytes, tenant: str) -> UsageEvent:
    """Read a usage event, and set its tenant. Raises Invalid."""
    try:
        event: UsageEvent = usage_event_decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Invalid("event_invalid", str(error)) from None
    check_usage_event(event)
    if tenant:
        event.tenant = tenant
    if not event.tenant:
        raise Invalid("tenant_missing", "the event names no tenant; set one: --set tenant=NAME", "$.tenant")
    return event


class DeadLetters:
    """The table of dead letters. `sink` is needed to replay."""

    def __init__(
        self,
        clickhouse: ClickHouseClient,
        sink: RecordSink | None = None,
        opener: Open = plain,
        partitions: int = 1,
        clock: Clock | None = None,
    ) -> None:
        """`partitions`: the number of partitions of `cost.events`."""
        self._clickhouse, self._sink, self._open = clickhouse, sink, opener
        self._partitions, self._clock = partitions, clock or SystemClock()

    def counts(self, chosen: Filter) -> list[dict[str, object]]:
        """Return the number of dead letters by tenant, stage and code."""
        return self._clickhouse.rows(_COUNTS, _bound(chosen))

    def find(self, chosen: Filter) -> list[StoredDeadLetter]:
        """Return the oldest dead letters that match."""
        return [_stored(row) for row in self._clickhouse.rows(_FOUND, _bound(chosen))]

    def prepare(self, dead_letter: StoredDeadLetter, edits: Sequence[Edit]) -> Replay:
        """Return what a replay would send; nothing is sent.

        A replay keeps its place in the order of acceptance (docs/adr/0016): an old body does not override a correction
        that was accepted after it. A cost event keeps its stamp; usage is stamped with the time of its refusal.
        """
        try:
            if dead_letter.stage != "aggregator":
                edits = [*edits, *_STAMP] if dead_letter.stage == "pricer" else edits
                return Replay(
                    dead_letter,
                    [self._stamped(apply(dead_letter.body, edits), dead_letter)],
                    USAGE_EVENTS.name,
                )
            lines = [apply(line, edits) for line in dead_letter.body.split(b"\n") if line.strip()]
        except Invalid as error:
            return Replay(dead_letter, refusal=str(error))
        for number, line in enumerate(lines, dead_letter.line):
            if bad := record_parser.why(line, number):
                return Replay(dead_letter, lines, refusal=f"{bad.path}: {bad.message} [{bad.code}]")
        return Replay(dead_letter, lines, COST_EVENTS.name)

    def _stamped(self, body: bytes, dead_letter: StoredDeadLetter) -> bytes:
        event = self._open(body, dead_letter.tenant)
        if event.time > self._clock.now() + _AHEAD:
            raise Invalid("time_in_future", "the time is in the future; set it: --set time=TIME", "$.time")
        stamp = f',"accepted_ms":{int(dead_letter.at.timestamp() * 1000)}}}'
        return encoder.encode(event)[:-1] + stamp.encode()

    def replay(self, replays: Sequence[Replay], progress: Callable[[int], None] = lambda _: None) -> int:
        """Send what can be sent, and mark it as replayed, a hundred at a time. Return how many dead letters were sent;
        `progress` gets their number so far.

        A crash between the two sends some of them again at the next attempt, which changes no total: it is the same
        event with the same identity. Raises Retryable, OversizeError.
        """
        if self._sink is None:
            raise ValueError("a sink is needed to replay")
        ready = [each for each in replays if not each.refusal and not each.dead_letter.replayed]
        for first in range(0, len(ready), _PIECE):
            piece = ready[first : first + _PIECE]
            for each in piece:
                self._send(each, self._sink)
            self._mark(piece)
            progress(first + len(piece))
        return len(ready)

    def _send(self, replay: Replay, sink: RecordSink) -> None:
        for line in replay.lines:
            cost = replay.topic == COST_EVENTS.name
            number = partition_of(record_parser.id_of(line), self._partitions) if cost else None
            deliver(sink, replay.topic, [line], partition=number)

    def _mark(self, sent: Sequence[Replay]) -> None:
        rows = [
            {"tenant": each.dead_letter.tenant, "id": each.dead_letter.id, "topic": each.topic,
             "body": each.body.decode()}
            for each in sent
        ]  # fmt: skip
        self._clickhouse.insert_json_lines("dead_letter_replays", b"\n".join(map(encoder.encode, rows)))


def _bound(chosen: Filter) -> dict[str, object]:
    since = int(chosen.since.timestamp()) if chosen.since else 0
    return {**asdict(chosen), "ids": list(chosen.ids), "since": since}


def _stored(row: dict[str, object]) -> StoredDeadLetter:
    known = {name: row[name] for name in StoredDeadLetter.__slots__ if name in row}
    known["at"] = datetime.fromtimestamp(int(str(row["micros"])) / 1e6, UTC)
    known["body"] = bytes.fromhex(str(row["bytes"]))
    known["replayed"] = bool(row["replayed"])
    return StoredDeadLetter(**known)  # type: ignore[arg-type]
