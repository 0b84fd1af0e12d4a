"""Numbers that are too large, too long or missing: refused at once, and never computed."""

import json
from decimal import Decimal
from typing import Any

import pytest
from tests.support.ingest_rig import JSON, NOW, Rig

from outlay_ingest.domain.coercion import count, money

HUGE = ["1e999999999", "1E+400000000", "9" * 8000, 10**5000, 1e308, "1e31"]


@pytest.mark.parametrize("value", HUGE, ids=range(len(HUGE)))
def test_what_is_too_large_is_cut_and_stays_too_large(value: object) -> None:
    found = count(value)
    assert isinstance(found, Decimal)
    assert 10**15 < found <= 10**30
    assert money(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5), ("5", 5), ("5.0", 5), (1.5, Decimal("1.5")), (10**15, 10**15), ("1e15", 10**15), (-1, None),
        ("-1e999999999", None), ("nan", None), ("inf", None), ("", None), (None, None), (True, None),
        (2 * 10**15, Decimal(2 * 10**15)), ("1e-999999999", 0),
    ],
)  # fmt: skip
def test_counts(value: object, expected: object) -> None:
    assert count(value) == expected


@pytest.mark.parametrize("value", ["1e999999999", "9" * 8000, 10**30], ids=range(3))
async def test_an_endpoint_refuses_it_and_goes_on(rig: Rig, value: Any) -> None:
    stamp = NOW.timestamp()
    window = {"start": "2026-11-24T00:00:00Z", "end": "2026-11-24T01:00:00Z"}
    span = {"traceId": "5" * 32, "spanId": "7" * 16, "endTimeUnixNano": str(int(stamp * 1e9)), "attributes": [
        {"key": "gen_ai.request.model", "value": {"stringValue": "m"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"stringValue": str(value)}}]}  # fmt: skip
    bodies: dict[str, object] = {
        "/v1/litellm": {
            "id": "p",
            "model": "m",
            "endTime": stamp,
            "prompt_tokens": value,
            "response_cost": value,
        },
        "/v1/opencost": {"data": [{"a": {"window": window, "ramByteHours": value, "totalCost": 1}}]},
        "/v1/traces": {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]},
    }
    for path, body in bodies.items():
        headers = {"Content-Type": JSON, "Authorization": f"Bearer {rig.key}"}
        answer = await rig.client.post(path, content=json.dumps(body), headers=headers)
        assert answer.status_code in (200, 400, 422), (path, answer.text)
    assert not rig.sink.events()
    assert {dead_letter.code for dead_letter in rig.sink.dead_letters()} <= {
        "usage_out_of_range",
        "wrong_type",
    }
