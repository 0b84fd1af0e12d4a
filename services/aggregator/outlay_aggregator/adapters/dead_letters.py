"""Dead letters: listed, shown, mended and sent again, each once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from outlay_aggregator.domain import record_parser
from outlay_aggregator.domain.edits import Edit, apply
from outlay_kit.broker import RecordSink, deliver
from outlay_kit.clickhouse import ClickHouseClient
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent, encoder, usage_event_decoder
from outlay_schemas.identity import partition_of
from outlay_schemas.topics import COST_EVENTS, USAGE_EVENTS
from outlay_schemas.validate import check_usage_event


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters. Empty: any."""

    tenant: str = ""
    stage: str = ""
    code: str = ""
    ids: Sequence[str] = ()
    since: datetime | None = None
    contains: str = ""
    replayed: bool = False
    """Whether those are meant too that were replayed already."""
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it is kept."""

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
class Mended:
    """What replaying a letter sends, and where to; or why it cannot be sent."""

    letter: Letter
    body: bytes = b""
    topic: str = ""
    refusal: str = ""


_WHERE = """
    (empty({tenant:String}) OR tenant = {tenant:String}) AND (empty({stage:String}) OR stage = {stage:String})
    AND (empty({code:String}) OR code = {code:String}) AND (empty({ids:Array(String)}) OR id IN {ids:Array(String)})
    AND at >= toDateTime({since:UInt32}, 'UTC')
    AND (empty({contains:String}) OR position(original, {contains:String}) > 0)
    AND ({replayed:Bool} OR (tenant, id) NOT IN (SELECT tenant, id FROM dead_letter_replays))"""
_LETTERS = f"""
SELECT id, tenant, stage, code, message, path, toUnixTimestamp64Micro(at) AS micros, topic, partition, offset, line,
    hex(original) AS bytes, (tenant, id) IN (SELECT tenant, id FROM dead_letter_replays) AS replayed
FROM dead_letters FINAL WHERE {_WHERE} ORDER BY at, id LIMIT {{limit:UInt32}}"""  # noqa: S608
_COUNTS = f"""
SELECT tenant, stage, code, count() AS letters, toString(min(at)) AS first, toString(max(at)) AS last
FROM dead_letters FINAL WHERE {_WHERE} GROUP BY tenant, stage, code ORDER BY letters DESC"""  # noqa: S608

_ACCEPTED_AGAIN = (Edit.delete("accepted_ms"), Edit.delete("accepted_seq"))
"""What is replayed is accepted now: an event that was refused when it was priced again loses its old stamp."""

Open = Callable[[bytes, str], bytes]
"""Turn the bytes that a door refused, mended, and their tenant into a line of usage.events. Raises Invalid."""


def plain(body: bytes, tenant: str) -> bytes:
    """Read a usage event as it stands on Kafka, and set its tenant. Raises Invalid."""
    try:
        event: UsageEvent = usage_event_decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Invalid("event_invalid", str(error)) from None
    check_usage_event(event)
    if tenant:
        event.tenant = tenant
    if not event.tenant:
        raise Invalid("tenant_missing", "the event names no tenant; set one: --set tenant=NAME", "$.tenant")
    return encoder.encode(event)


class DeadLetters:
    """The table of dead letters. `sink` is needed to replay."""

    def __init__(
        self,
        clickhouse: ClickHouseClient,
        sink: RecordSink | None = None,
        opener: Open = plain,
        partitions: int = 1,
    ) -> None:
        """`partitions`: those of `cost.events`."""
        self._clickhouse = clickhouse
        self._partitions = partitions
        self._sink = sink
        self._open = opener

    def counts(self, chosen: Filter) -> list[dict[str, object]]:
        """Return how many there are by tenant, stage and code."""
        return self._clickhouse.rows(_COUNTS, _bound(chosen))

    def find(self, chosen: Filter) -> list[Letter]:
        """Return the oldest that are meant."""
        return [_letter(row) for row in self._clickhouse.rows(_LETTERS, _bound(chosen))]

    def mend(self, letter: Letter, edits: Sequence[Edit]) -> Mended:
        """Return what a replay would send; nothing is sent."""
        try:
            edited = apply(letter.body, [*edits, *_ACCEPTED_AGAIN] if letter.stage == "pricer" else edits)
            if letter.stage != "aggregator":
                return Mended(letter, self._open(edited, letter.tenant), USAGE_EVENTS.name)
            bad = record_parser.why(edited, letter.line)
            if bad is not None:
                return Mended(letter, edited, refusal=f"{bad.path}: {bad.message} [{bad.code}]")
            return Mended(letter, edited, COST_EVENTS.name)
        except Invalid as error:
            return Mended(letter, refusal=str(error))

    def replay(self, mended: Sequence[Mended]) -> int:
        """Send what can be sent, and write down that it was. Return how many were sent.

        A crash between the two sends some of them again at the next try, which changes no total: it is
        the same event under the same identity. Raises Retryable, OversizeError.
        """
        if self._sink is None:
            raise ValueError("a sink is needed to replay")
        ready = [each for each in mended if not each.refusal and not each.letter.replayed]
        for each in ready:
            cost = each.topic == COST_EVENTS.name
            number = partition_of(record_parser.id_of(each.body), self._partitions) if cost else None
            deliver(self._sink, each.topic, [each.body], partition=number)
        rows = [
            {"tenant": m.letter.tenant, "id": m.letter.id, "body": m.body.decode(), "topic": m.topic}
            for m in ready
        ]
        if rows:
            lines = b"\n".join(msgspec.json.encode(row) for row in rows)
            self._clickhouse.insert_json_lines("dead_letter_replays", lines, {"async_insert": 0})
        return len(ready)


def _bound(chosen: Filter) -> dict[str, object]:
    return {
        "tenant": chosen.tenant, "stage": chosen.stage, "code": chosen.code, "ids": list(chosen.ids),
        "since": int(chosen.since.timestamp()) if chosen.since else 0, "contains": chosen.contains,
        "replayed": chosen.replayed, "limit": chosen.limit,
    }  # fmt: skip


def _letter(row: dict[str, object]) -> Letter:

    known = {name: row[name] for name in Letter.__slots__ if name in row}
    known["at"] = datetime.fromtimestamp(int(str(row["micros"])) / 1e6, UTC)
    known["body"] = bytes.fromhex(str(row["bytes"]))
    known["replayed"] = bool(row["replayed"])
    return Letter(**known)  # type: ignore[arg-type]
