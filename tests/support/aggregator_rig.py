"""An aggregator whose store and bus are in the test's hands."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime

from tests.support.aggregator_system import alone
from tests.support.fake_broker import FakeBroker, FakeSink

from outlay_aggregator.adapters.ledger_store import LedgerStore, MalformedError
from outlay_aggregator.domain.identities import Place, Suspect
from outlay_aggregator.domain.record_parser import read
from outlay_aggregator.domain.rollup_sql import HighCardinalitySource
from outlay_aggregator.domain.windows import Window
from outlay_aggregator.service import Aggregator
from outlay_aggregator.settings import Settings
from outlay_kit.clock import FakeClock
from outlay_kit.kafka import Batch, Record
from outlay_schemas.events import DeadLetter, Grain, RollupGroup, RollupWindow, dead_letter_decoder, encoder
from outlay_schemas.money import Usd
from outlay_schemas.topics import COST_EVENTS, DEAD_LETTER

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def line(event_id: str = "1", **changes: object) -> bytes:
    """A cost event as the pricer writes it; a change of None leaves the field out."""
    event: dict[str, object] = {
        "id": event_id, "source": "test", "time": "2026-11-24T01:02:03.5Z", "kind": "llm", "sku": "gpt-5",
        "usage": {"input_tokens": 10}, "activity": "inference", "provider": "openai", "tenant": "acme",
        "revision": 1, "fingerprint": 7, "cost": "1.25", "price_status": "priced", "price_ref": "book/1",
        **changes,
    }  # fmt: skip
    return json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def batch(*values: bytes, topic: str = COST_EVENTS.name) -> Batch:
    return Batch([Record(topic, 0, offset, value) for offset, value in enumerate(values)])


def group(user: str = "u", **changes: object) -> RollupGroup:
    dimensions = dict.fromkeys(
        ("project", "team", "business_unit", "use_case", "provider", "sku", "kind", "activity"), "x"
    )
    measures: dict[str, object] = {"cost": Usd("0.1"), "events": 1, "unpriced_events": 0, "usage": {}}
    return RollupGroup(**{**dimensions, "user": user, **measures, **changes})  # type: ignore[arg-type]


def window(groups: Sequence[RollupGroup], tenant: str = "acme", start: int = 0) -> RollupWindow:
    return RollupWindow(tenant, "minute", datetime.fromtimestamp(start, UTC), 1, list(groups))


class MemoryStore(LedgerStore):
    """Keeps what is written, in order; a line that holds `poison` is refused with all that came with it."""

    def __init__(self, log: list[str], poison: bytes = b"POISON") -> None:
        self.log = log
        self.poison = poison
        self.ledger: list[bytes] = []
        self.dead_letters: list[DeadLetter] = []
        self.recomputed: list[tuple[Grain, list[Window]]] = []
        self.known_words: list[tuple[int, int]] = []
        self.seconds: dict[int, set[int]] = {}
        self.found: list[Place] = []
        self.groups: Callable[[Window], Sequence[RollupGroup]] = lambda _: [group()]

    def append(self, table: str, lines: bytes) -> None:
        self.log.append(f"append {table}")
        if self.poison in lines:
            raise MalformedError("Code: 27. DB::Exception: cannot parse")
        if table == "dead_letters":
            self.dead_letters += dead_letter_decoder.decode_lines(lines)
        else:
            self.ledger += lines.split(b"\n")

    def words(self, shift: int) -> Iterator[tuple[int, int]]:
        yield from self.known_words

    def places(self, identities: Iterable[int]) -> dict[int, set[int]]:
        return {name: self.seconds[name] for name in identities if name in self.seconds}

    def rows(self, suspects: Iterable[Suspect], seconds: Mapping[int, set[int]]) -> list[Place]:
        return self.found

    def keep_moved(self, places: Iterable[Place]) -> None:
        self.log.append(f"moved {len(list(places))}")

    def recompute(self, grain: Grain, windows: Sequence[Window]) -> list[bytes]:
        self.log.append(f"recompute {grain}")
        self.recomputed.append((grain, list(windows)))
        return [encoder.encode(window(self.groups(w), w.tenant, w.start)) for w in windows]

    def repeated(self, counted: Mapping[Window, int]) -> list[Window]:
        rows = [window for row in self.ledger for window in read(row).minutes]
        return [window for window, events in counted.items() if rows.count(window) > events]

    def keep_conflicts(self, minutes: Sequence[Window]) -> int:
        self.log.append(f"conflicts {len(minutes)}")
        return len(minutes)

    def keep_high_cardinality(self, minutes: Sequence[Window]) -> list[HighCardinalitySource]:
        self.log.append(f"high cardinality {len(minutes)}")
        return [
            HighCardinalitySource(w.tenant, w.start, f"source-{w.tenant}", "user", 5000, 5000, 5000)
            for w in minutes
        ]


class LoggingSink(FakeSink):
    """Notes what is sent where, in the log that the ledger store writes to as well."""

    def __init__(self, broker: FakeBroker, log: list[str], max_bytes: int) -> None:
        super().__init__(broker, max_bytes)
        self._log = log

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> "Future[None]":
        self._log.append(f"send {topic}")
        return super().send(topic, value, key, headers, partition)


class Rig:
    """An aggregator with a log of all that it does, in order."""

    def __init__(self, settings: Settings | None = None, max_bytes: int = 16 * 2**20) -> None:
        self.log: list[str] = []
        self.clock = FakeClock(NOW)
        self.broker = FakeBroker(1)
        self.store = MemoryStore(self.log)
        self.sink = LoggingSink(self.broker, self.log, max_bytes)
        self.aggregator = Aggregator(self.store, self.sink, self.clock, settings, owners=alone(self.sink))

    def handle(self, *values: bytes) -> None:
        self.aggregator.handle(batch(*values))

    def refused(self) -> list[DeadLetter]:
        """The dead letters on Kafka."""
        return [dead_letter_decoder.decode(r.value) for r in self.broker.records(DEAD_LETTER.name)]
