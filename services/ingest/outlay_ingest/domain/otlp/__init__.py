"""OpenTelemetry's OTLP/HTTP: spans and log records of calls of models, in every spelling that is about."""

from outlay_ingest.domain.otlp.calls import read_logs, read_traces

__all__ = ["read_logs", "read_traces"]
