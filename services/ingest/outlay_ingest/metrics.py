"""What ingest counts, each declared once."""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

_EVENTS = Counter("outlay_ingest_events_total", "Events answered for, by outcome", ["outcome"])
ACCEPTED = _EVENTS.labels("accepted")
REFUSED = _EVENTS.labels("refused")
IGNORED = _EVENTS.labels("ignored")
REQUESTS = Counter("outlay_ingest_requests_total", "Requests that bring usage, by status", ["status"])
_of_status = cache(REQUESTS.labels)
SECONDS = Histogram("outlay_ingest_request_seconds", "Seconds from a request's first byte read to its answer")
IN_FLIGHT = Gauge(
    "outlay_ingest_bytes_in_flight", "Bytes of bodies being read and of records Kafka has not acknowledged"
)
SKEW = Gauge(
    "outlay_ingest_clock_skew_seconds",
    "Acceptance time minus event time, of a recent event of each source; below 0: its clock is ahead",
    ["source"],
)
MOST_SOURCES = 100
_sources: set[str] = set()
UNCOUNTED = Gauge(
    "outlay_ingest_uncounted_bytes",
    "Bytes accepted here that are not counted yet, where several tenants have keys",
)
WINDOW = Gauge(
    "outlay_ingest_window_bytes", "Bytes that may be accepted and not counted, all tenants together"
)
TURNED_AWAY = Counter(
    "outlay_ingest_backlog_full_total",
    "Requests refused because their tenant had too much waiting",
    ["tenant"],
)
RECORDS = Counter("outlay_ingest_records_total", "Kafka records written")


def answered(status: int) -> None:
    """Count a request by the status that it was answered with."""
    _of_status(status).inc()


def measured(skews: dict[str, float]) -> None:
    """Keep the clock skew of sources. Past `MOST_SOURCES`, they share the label (other)."""
    for source, seconds in skews.items():
        if source not in _sources and len(_sources) < MOST_SOURCES:
            _sources.add(source)
        SKEW.labels(source if source in _sources else "(other)").set(seconds)
    skews.clear()
