"""Requests of OpenTelemetry exporters."""

import json
from collections.abc import Mapping
from typing import Any

from tests.support.ingest_rig import NOW

END = int(NOW.timestamp() * 1e9) - 60_000_000_000


def json_request(attributes: Mapping[str, Any], **fields: object) -> dict[str, Any]:
    """The same in OTLP's JSON."""
    pairs = [
        {"key": k, "value": {"intValue": str(v)} if isinstance(v, int) else {"stringValue": v}}
        for k, v in attributes.items()
    ]
    one = {
        "traceId": "5B8EFFF798038103D269B633813FC60C",
        "spanId": "EEE19B7EC3C1B174",
        "name": "chat",
        "startTimeUnixNano": str(END - 10**9),
        "endTimeUnixNano": str(END),
        "attributes": pairs,
        "status": {},
        **fields,
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {}, "spans": [one]}]}]}


def log_request(attributes: Mapping[str, Any], body: str = "", **fields: object) -> bytes:
    pairs = [
        {"key": k, "value": {"intValue": str(v)} if isinstance(v, int) else {"stringValue": v}}
        for k, v in attributes.items()
    ]
    record = {"timeUnixNano": str(END), "body": {"stringValue": body}, "attributes": pairs, **fields}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "claude-code"}},
                               {"key": "team.id", "value": {"stringValue": "platform"}}]}  # fmt: skip
    return json.dumps(
        {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
    ).encode()
