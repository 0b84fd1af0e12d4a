# /// script
# requires-python = "==3.11.*"
# dependencies = ["bytewax[kafka]==0.21.1", "clickhouse-connect==1.12.0", "genai-prices==0.2.3"]
# ///
"""Bytewax with genai-prices: one worker, rows inserted in the batches that the source reads."""

import json

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main
from work import BOOTSTRAP, TOPIC, genai_prices_cost, insert, row

BATCH = 10_000


class Writing(StatelessSinkPartition):
    def write_batch(self, items: list[tuple[object, ...]]) -> None:
        insert(items)


class Rows(DynamicSink):
    def build(self, step_id: str, worker_index: int, worker_count: int) -> Writing:
        return Writing()


def priced(message: KafkaSourceMessage) -> tuple[object, ...]:
    event = json.loads(message.value)
    return row(event, genai_prices_cost(event))


flow = Dataflow("peers")
source = KafkaSource([BOOTSTRAP], [TOPIC], tail=False, batch_size=BATCH)
op.output("rows", op.map("priced", op.input("events", flow, source), priced), Rows())
run_main(flow)
