"""Traces of events, by OpenTelemetry: off unless a standard variable says where they go. Off, nothing of it is
imported and `start` returns None. Between services they are headers `traceparent` (W3C), one per traced request."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outlay_kit.otel import Tracing

HEADER = "traceparent"
MOST_IN_RECORD = 16
"""Most traces that one record carries; more of them end at ingest."""
MOST_IN_BATCH = 64
"""Most traces that one batch of records continues."""
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

Header = tuple[str, bytes]
"""Name and value of a record's header."""


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the standard variables ask for traces."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none":
        return False
    return any(environment.get(name, "").strip() for name in _ENDPOINTS)


def start(service: str) -> "Tracing | None":
    """Return the tracer of a service, or None if traces are off."""
    if not wanted(os.environ):
        return None
    from outlay_kit.otel import Tracing

    return Tracing(service)


def parents(headers: Iterable[Header] | Mapping[str, bytes] | None, most: int = MOST_IN_RECORD) -> list[str]:
    """Return the traces that a record's headers name, `most` at most."""
    if not headers:
        return []
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [value.decode("latin-1") for name, value in pairs if name == HEADER and value][:most]
