"""Metrics of the console."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("outlay_console_requests_total", "Requests, by page and status", ["page", "status"])
SECONDS = Histogram(
    "outlay_console_page_seconds",
    "Seconds to answer a page, without streams",
    ["page"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10),
)
LOGINS = Counter("outlay_console_logins_total", "Login attempts, by outcome", ["outcome"])
LISTENERS = Gauge("outlay_console_listeners", "Open streams of live figures or events", ["stream"])
ACTIONS = Counter("outlay_console_actions_total", "User actions on pages, by action", ["action"])
