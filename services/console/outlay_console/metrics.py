"""What the console counts, each declared once."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter(
    "outlay_console_requests_total", "Pages and figures answered, by page and status", ["page", "status"]
)
SECONDS = Histogram(
    "outlay_console_page_seconds",
    "Seconds to answer a page, streams not counted",
    ["page"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10),
)
LOGINS = Counter("outlay_console_logins_total", "Tries to log in, by outcome", ["outcome"])
LISTENERS = Gauge(
    "outlay_console_listeners", "Browsers that listen to live figures or events now", ["stream"]
)
WORDS = Counter("outlay_console_words_total", "What people said on pages, by what", ["say"])
