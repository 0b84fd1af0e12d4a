from decimal import Decimal

import msgspec
import pytest

from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent, encoder, usage_event_decoder
from outlay_schemas.validate import check_usage_event

EVENT: dict[str, object] = {
    "id": "5f0c",
    "source": "checkout/api",
    "time": "2026-11-24T01:02:03.123Z",
    "kind": "llm",
    "activity": "inference",
    "provider": "anthropic",
    "sku": "claude-sonnet-4-5",
    "usage": {"input_tokens": 4808, "cache_read_tokens": 4096, "output_tokens": 110},
}


def decode(**changes: object) -> UsageEvent:
    return usage_event_decoder.decode(msgspec.json.encode({**EVENT, **changes}))


def test_a_usage_event_survives_the_wire() -> None:
    event = decode(business_unit=None, tags={"env": "prod"})
    check_usage_event(event)
    assert usage_event_decoder.decode(encoder.encode(event)) == event


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"modle": "x"}, "modle"),
        ({"time": "2026-11-24T01:02:03"}, r"\$\.time"),
        ({"usage": {"input_tokens": -1}}, r"\$\.usage"),
        ({"usage": {"input_tokens": 10**18}}, r"\$\.usage"),
        ({"usage": {"input_tokens": True}}, r"\$\.usage"),
        ({"kind": "gpu"}, r"\$\.kind"),
        ({"id": ""}, r"\$\.id"),
        ({"id": "x" * 257}, r"\$\.id"),
        ({"tags": {"env": 1}}, r"\$\.tags"),
    ],
)
def test_a_wrong_type_is_refused_with_its_place(changes: dict[str, object], place: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=place):
        decode(**changes)


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"usage": {}}, "usage_empty", "$.usage"),
        ({"usage": {f"m{i}": 1 for i in range(65)}}, "usage_too_wide", "$.usage"),
        ({"usage": {"Input Tokens": 1}}, "meter_name", "$.usage.Input Tokens"),
        ({"usage": {"gb": "NaN"}}, "usage_not_a_number", "$.usage.gb"),
        ({"usage": {"gb": "-0.5"}}, "usage_negative", "$.usage.gb"),
        ({"usage": {"gb": 1e18}}, "usage_out_of_range", "$.usage.gb"),
        ({"usage": {"gb": "0.0000000001"}}, "usage_too_fine", "$.usage.gb"),
        ({"tags": {f"t{i}": "x" for i in range(65)}}, "tags_too_wide", "$.tags"),
        ({"reported_cost": "-1"}, "reported_cost_range", "$.reported_cost"),
        ({"reported_cost": "Infinity"}, "reported_cost_range", "$.reported_cost"),
        ({"reported_cost": "0.0000000000001"}, "reported_cost_too_fine", "$.reported_cost"),
    ],
)
def test_what_types_cannot_say_is_refused_with_its_place(
    changes: dict[str, object], code: str, path: str
) -> None:
    with pytest.raises(Invalid) as refused:
        check_usage_event(decode(**changes))
    assert (refused.value.code, refused.value.path) == (code, path)


def test_a_fraction_in_json_is_read_exactly_without_a_float() -> None:
    event = usage_event_decoder.decode(
        b'{"id":"1","source":"s","time":"2026-11-24T00:00:00Z","kind":"storage","sku":"x","usage":{"gb":0.1}}'
    )
    assert event.usage["gb"] == Decimal("0.1")
    assert not isinstance(event.usage["gb"], float)
