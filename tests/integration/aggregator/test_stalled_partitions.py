"""P14: a member of a group that is alive for Kafka and does nothing holds a partition; the others notice."""

import uuid
from pathlib import Path

import pytest
from tests.support.processes import Service, prepare
from tests.support.stack import Stack
from tests.support.waiting import until

from outlay_kit.kafka import KafkaSink, KafkaSource, deliver
from outlay_kit.migrator import migrate
from outlay_schemas.topics import AGGREGATED, COST_EVENTS

pytestmark = pytest.mark.stack


def test_p14_an_aggregator_that_owns_nothing_is_not_well_while_no_member_works_on_a_partition(
    stack: Stack, tmp_path: Path
) -> None:
    prepare(stack.kafka)
    migrate(stack.writer)
    group = f"stalled-{uuid.uuid4().hex[:8]}"
    topics = [topic.name for topic in AGGREGATED]
    idle = KafkaSource(stack.kafka, group, topics, max_poll_interval_ms=20_000)
    until(lambda: not idle.poll(0.2).records or True, what="a member")
    sink = KafkaSink(stack.kafka)
    deliver(sink, COST_EVENTS.name, [b"\n"] * 8)
    sink.close()
    env = {
        **stack.environment,
        "OUTLAY_AGGREGATOR_GROUP": group,
        "OUTLAY_HEALTH_PARTITION_STALL_SECONDS": "4",
        "OUTLAY_HEALTH_STALL_SECONDS": "60",
    }
    aggregator = Service("outlay_aggregator.main", tmp_path / "aggregator.log", env)
    try:
        aggregator.launch()  # it waits for the other to rejoin, and owns nothing
        until(aggregator.ended, 40, "the end of the one that owns nothing")
        assert aggregator.running.returncode == 70
        assert "stalled" in aggregator.log.read_text()
    finally:
        idle.close()
