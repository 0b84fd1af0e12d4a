# /// script
# requires-python = "==3.11.*"
# dependencies = ["confluent-kafka==2.12.2", "clickhouse-connect==1.12.0", "litellm==1.110.2"]
# ///
"""A script with LiteLLM's prices: a consumer, rows inserted in batches, offsets committed after that."""

import json
import os

from confluent_kafka import Consumer
from work import BOOTSTRAP, TOPIC, insert, litellm_cost, row

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # the list of its package: nothing is fetched
BATCH = 10_000
consumer = Consumer(
    {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": "script",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
)
consumer.subscribe([TOPIC])
while True:
    events = [json.loads(message.value()) for message in consumer.consume(BATCH, timeout=1.0)]
    if events:
        insert([row(event, litellm_cost(event)) for event in events])
        consumer.commit(asynchronous=False)
