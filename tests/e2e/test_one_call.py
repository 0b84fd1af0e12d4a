"""One model call that arrives as several OpenTelemetry signals is one row of the ledger, with one cost."""

import time
from typing import Any

import httpx
import pytest
from tests.support.system import Cli

pytestmark = pytest.mark.stack

TRACE, OUTER, INNER = "5b8efff798038103d269b633813fc60c", "a" * 16, "b" * 16
ATTRIBUTES = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 1_000_000,
}  # fmt: skip
PAIRS = [
    {"key": name, "value": {"intValue" if isinstance(value, int) else "stringValue": value}}
    for name, value in ATTRIBUTES.items()
]


def span(number: str, end: int, parent: str = "") -> dict[str, Any]:
    return {
        "traceId": TRACE, "spanId": number, "parentSpanId": parent, "name": "chat", "attributes": PAIRS,
        "startTimeUnixNano": str(end - 10**9), "endTimeUnixNano": str(end),
    }  # fmt: skip


def test_nested_spans_and_a_log_event_in_the_next_second_are_one_row(cli: Cli) -> None:
    tenant = f"signals-{time.time_ns()}"
    headers = {"X-API-Key": cli.json("keys", "create", "--tenant", tenant)["key"]}
    second = (int(time.time()) - 60) * 10**9  # noqa: TID251 (a sender's own clock)
    before, after = second - 10**7, second + 10**7
    spans = [span(OUTER, before), span(INNER, before, OUTER)]
    log = {"traceId": TRACE, "spanId": INNER, "timeUnixNano": str(after), "attributes": PAIRS,
           "eventName": "gen_ai.client.inference.operation.details"}  # fmt: skip
    bodies = {
        "traces": {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]},
        "logs": {"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]},
    }
    ingest = cli.state().ingest
    for signal, body in bodies.items():
        deadline = time.monotonic() + 10
        while (answer := httpx.post(f"{ingest}/v1/{signal}", json=body, headers=headers)).status_code == 401:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert (answer.status_code, answer.json()) == (200, {})
    sql = f"SELECT count() AS rows, toString(sum(cost)) AS usd, toSecond(any(time)) AS second FROM costs WHERE tenant = '{tenant}'"  # noqa: S608, E501
    wanted = [{"rows": 1, "usd": "0.15", "second": second // 10**9 % 60}]
    deadline = time.monotonic() + 40
    while (found := cli.json("query", sql)) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    rolled = f"SELECT sum(events) AS n FROM costs_daily WHERE tenant = '{tenant}'"  # noqa: S608 (made here)
    assert cli.json("query", rolled) == [{"n": 1}]
    assert cli.json("audit", "--no-kafka", "--tenant", tenant)["balanced"] is True
