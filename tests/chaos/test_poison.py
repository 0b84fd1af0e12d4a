"""Poison on every topic, written without ingest: it becomes dead letters, and no other tenant waits for it (P9)."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from tests.support.chaos.rig import Pipeline, Sender, make
from tests.support.chaos.stores import Stores
from tests.support.promises import Tally
from tests.support.waiting import until

from outlay_kit.kafka import KafkaSink, deliver
from outlay_schemas.dead_letters import dead_letter
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent, encoder
from outlay_schemas.topics import COST_EVENTS, DEAD_LETTER, RECOMPUTE, ROLLUPS

pytestmark = [pytest.mark.stack, pytest.mark.chaos]
MIB = 2**20
COST = {
    "id": "h", "source": "hostile", "time": "2026-11-24T01:02:03.5Z", "kind": "llm", "sku": "gpt-5",
    "usage": {"input_tokens": 10}, "activity": "inference", "provider": "openai", "tenant": "hostile",
    "revision": 1, "fingerprint": 7, "cost": "1.25", "price_status": "priced", "price_ref": "book/1",
}  # fmt: skip


def cost(name: str, **changes: object) -> bytes:
    return json.dumps({**COST, "id": name, **changes}).encode()


def records() -> dict[str, Sequence[bytes]]:
    """Return hostile records by topic."""
    lines = b"\n".join(b'{"tenant":"hostile","n":%d}' % n for n in range(200_000))
    refused = dead_letter("pricer", b"{", Invalid("c", "m"), make(1)[0].time, line=0, tenant="hostile")
    return {
        COST_EVENTS.name: [
            os.urandom(10 * MIB),
            b"x" * (10 * MIB),
            lines,
            b"[" * MIB,
            b"\n".join(cost(f"t{n}", time="2026-11-24T01:02:03+05:00Z") for n in range(500)),
            b"\n".join(cost(f"f{n}", time="2026-11-24T01:02:03.1234567890Z") for n in range(500)),
            b"\n".join(cost(f"e{n}", cost="0e9999") for n in range(5000)),
            cost("u").replace(b'"input_tokens": 10', b'"input_tokens": 0e9999'),
        ],
        DEAD_LETTER.name: [
            encoder.encode(msgspec.structs.replace(refused, line=-1)),
            encoder.encode(msgspec.structs.replace(refused, partition=2**40)),
            os.urandom(MIB),
            lines,
        ],
        RECOMPUTE.name: [os.urandom(MIB), lines, b"[" * MIB, b'{"tenant":"hostile","minutes":[61]}'],
        ROLLUPS.name: [os.urandom(MIB), lines, b"[" * MIB, b'{"tenant":"hostile","grain":"minute"}'],
    }


@dataclass
class Neighbour:
    """A tenant that sends an event at a time and waits until the ledger has it."""

    pipeline: Pipeline
    events: list[UsageEvent]
    sent: list[UsageEvent] = field(default_factory=list)

    def freshness(self, count: int) -> list[float]:
        """Return the seconds from sending to the rollup of `count` events, sorted."""
        found = []
        for _ in range(count):
            event = self.events.pop()
            began = time.monotonic()
            Sender(self.pipeline.ingest, [event], rate=1000).join()
            self.sent.append(event)
            until(lambda: self._events() >= len(self.sent), 60, "a neighbour's event")
            found.append(time.monotonic() - began)
        return sorted(found)

    def _events(self) -> int:
        [row] = self.pipeline.clickhouse.rows(
            "SELECT sum(m.events) AS n FROM costs_minutely AS m WHERE tenant = {t:String}",
            {"t": self.pipeline.tenant},
        )
        return int(row["n"])


def test_p9_poison_on_every_topic_costs_no_restart_and_no_neighbour(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    pipeline = Pipeline(stores, tmp_path / "run")
    pipeline.others.append(pipeline.service("alerter"))
    pipeline.start()
    began = [service.running.pid for service in pipeline.services]
    neighbour = Neighbour(pipeline, make(40, seed=99))
    before = neighbour.freshness(11)
    sink = KafkaSink(stores.kafka)
    hostile = records()
    for topic, values in hostile.items():
        deliver(sink, topic, values)
    during = neighbour.freshness(25)
    sink.close()
    pipeline.settle(60)
    rows = pipeline.clickhouse.rows(
        "SELECT topic, offset, count() AS inputs, sum(length(original)) AS bytes FROM dead_letters FINAL"
        " WHERE stage = 'aggregator' AND topic IN ('cost.events', 'usage.dead-refused', 'cost.recompute')"
        " GROUP BY topic, partition, offset"
    )
    kept = sorted(row["bytes"] + row["inputs"] - 1 for row in rows)
    sizes = sorted(
        len(value)
        for topic in (COST_EVENTS.name, DEAD_LETTER.name, RECOMPUTE.name)
        for value in hostile[topic]
    )
    assert all(any(abs(have - size) <= 1100 for have in kept) for size in sizes), "bytes were lost"
    assert max(row["inputs"] for row in rows) <= 1001
    assert [service.running.pid for service in pipeline.services] == began
    assert all(service.running.poll() is None for service in pipeline.services), "a service ended"
    wrong = pipeline.mismatches(neighbour.sent)
    middle, worst = (f"{before[len(before) // 2]:.2f}", f"{during[-1]:.2f}")
    tally("P9", f"poison; a neighbour's event takes {middle} s, {worst} s at worst", len(kept), 0, wrong)

    assert wrong == 0
    assert during[-1] < 30
    pipeline.stop()
