"""What the pricer counts, each declared once."""

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("outlay_pricer_events_total", "Events priced and durable, by what came of it", ["outcome"])
RECORDS = Counter("outlay_pricer_records_total", "Records whose results are durable")
SECONDS = Histogram("outlay_pricer_record_seconds", "Seconds of CPU to price one record")
RETRIES = Counter("outlay_pricer_retries_total", "Times a result was sent again because Kafka was away")
LAG = Gauge("outlay_pricer_lag_records", "Records of the topic that the group has not committed")
REVISION = Gauge("outlay_pricer_catalog_revision", "The catalog revision that prices now")
