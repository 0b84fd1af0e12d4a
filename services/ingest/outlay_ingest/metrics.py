"""What ingest counts, each declared once."""

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("outlay_ingest_events_total", "Events answered for, by outcome", ["outcome"])
REQUESTS = Counter("outlay_ingest_requests_total", "Requests to /v1/events, by status", ["status"])
SECONDS = Histogram("outlay_ingest_request_seconds", "Seconds from a request's first byte read to its answer")
IN_FLIGHT = Gauge("outlay_ingest_bytes_in_flight", "Bytes accepted and not yet acknowledged by Kafka")
RECORDS = Counter("outlay_ingest_records_total", "Kafka records written")
