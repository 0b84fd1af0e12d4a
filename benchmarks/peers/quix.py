# /// script
# requires-python = "==3.11.*"
# dependencies = ["quixstreams==3.28.1", "clickhouse-connect==1.12.0", "genai-prices==0.2.3"]
# ///
"""Quix Streams with genai-prices: one application, rows inserted with each checkpoint."""

from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch
from work import BOOTSTRAP, TOPIC, genai_prices_cost, insert, row


class Rows(BatchingSink):
    def write(self, batch: SinkBatch) -> None:
        insert([item.value for item in batch])


app = Application(BOOTSTRAP, consumer_group="quix", auto_offset_reset="earliest", commit_interval=1.0)
events = app.dataframe(app.topic(TOPIC, value_deserializer="json"))
events.apply(lambda event: row(event, genai_prices_cost(event))).sink(Rows())
app.run()
