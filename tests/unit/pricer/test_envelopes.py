"""CloudEvents on Kafka, as their Kafka binding has them, and topics of one tenant alone."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.storage_events import CATALOG, NOW, PLACE, costs, lines, usage

from outlay_pricer.record_pricing import PricedRecord, Tenancy, price_record
from outlay_schemas.events import encoder
from outlay_schemas.topics import MAX_DEAD_LETTER_BYTES, MAX_RECORD_BYTES

DATA = {"kind": "storage", "sku": "box", "usage": {"gb": 3}}
ANYBODY = Tenancy()
ACME = Tenancy(only="acme")


def cloud(data: object = None, **changes: object) -> CloudEvent:
    attributes = {
        "specversion": "1.0", "type": "com.outlay.usage", "id": "1", "source": "checkout/é",
        "time": datetime(2026, 11, 24, 11, tzinfo=UTC), "datacontenttype": "application/json", **changes,
    }  # fmt: skip
    return CloudEvent(attributes, {**DATA, "tenant": "acme"} if data is None else data)  # type: ignore[arg-type]


def run(message: KafkaMessage, tenancy: Tenancy = ANYBODY) -> PricedRecord:
    return price_record(message.value, PLACE, CATALOG, NOW, tenancy, headers=list(message.headers.items()))


@pytest.mark.parametrize("bind", [to_binary_event, to_structured_event])
def test_what_the_cloudevents_sdk_writes_is_priced(bind: Any) -> None:
    priced = run(bind(cloud(partitionkey="k", mine="extension")))
    (cost,) = costs(priced)
    assert (cost.id, cost.source, cost.tenant, cost.cost) == ("1", "checkout/é", "acme", "1.5")
    assert priced.dead_letters == []


@pytest.mark.parametrize("bind", [to_binary_event, to_structured_event])
@pytest.mark.parametrize(
    ("event", "code", "path"),
    [
        (cloud(type="com.other"), "event_type", "$.type"),
        (cloud({**DATA, "usage": {"gb": -1}}), "event_invalid", "$.data.usage[...]"),
        (cloud({**DATA, "usage": {}}), "usage_empty", "$.data.usage"),
        (cloud(DATA), "tenant_missing", "$.data.tenant"),
        (cloud(b"bytes", datacontenttype="application/octet-stream"), "data_encoding", "$.data_base64"),
    ],
)
def test_a_bad_one_is_a_dead_letter_that_holds_all_of_it(
    bind: Any, event: CloudEvent, code: str, path: str
) -> None:
    (dead,) = run(bind(event)).dead_letters
    assert (dead.code, dead.path) == (code, path)
    kept = json.loads(dead.body)
    assert {kept["id"], kept["type"]} == {"1", event.get_type()}
    assert (dead.topic, dead.offset) == ("usage.events", 42)


def test_the_envelopes_of_a_record_without_headers_are_read_too() -> None:
    """As a dead dead is sent again, and as who writes files to Kafka does it."""
    mixed = lines(
        to_structured_event(cloud()).value, usage("2"), usage("3", tags={"specversion": "x"}), b"no"
    )
    priced = price_record(mixed, PLACE, CATALOG, NOW)
    assert [cost.id for cost in costs(priced)] == ["1", "2", "3"]
    assert [dead.body for dead in priced.dead_letters] == [b"no"]


def test_an_envelope_over_many_lines_is_one_event() -> None:
    pretty = json.dumps(json.loads(to_structured_event(cloud()).value), indent=2).encode()
    priced = price_record(
        pretty, PLACE, CATALOG, NOW, headers={"content-type": b"application/cloudevents+json"}
    )
    assert [cost.id for cost in costs(priced)] == ["1"]


def test_headers_of_other_tools_change_nothing() -> None:
    headers = [("traceparent", b"00-1"), ("content-type", b"application/x-ndjson"), ("empty", None)]
    priced = price_record(lines(usage("a"), usage("b")), PLACE, CATALOG, NOW, headers=headers)  # type: ignore[arg-type]
    assert [cost.id for cost in costs(priced)] == ["a", "b"]


def test_a_dead_letter_of_a_topic_of_one_tenant_belongs_to_that_tenant() -> None:
    priced = price_record(lines(usage("a", tenant="globex"), b"x"), PLACE, CATALOG, NOW, ACME)
    assert [(dead.tenant, dead.code) for dead in priced.dead_letters] == [
        ("acme", "tenant_mismatch"),
        ("acme", "json_malformed"),
    ]
    assert priced.events == 0


@pytest.mark.parametrize(
    ("value", "header"),
    [(b"\xff" * (MAX_RECORD_BYTES - 1000), b"a"), (b"{}", b"\x01" * (MAX_RECORD_BYTES - 1000))],
    ids=["data that are not JSON", "headers that grow when they are escaped"],
)
def test_the_dead_letter_of_the_largest_record_fits_its_topic(value: bytes, header: bytes) -> None:
    """P9: one that did not would stop the pricer forever."""
    headers = {"ce_specversion": b"1.0", "ce_id": header}
    (dead,) = price_record(value, PLACE, CATALOG, NOW, ACME, headers=headers).dead_letters
    assert dead.body == value
    assert len(encoder.encode(dead)) <= MAX_DEAD_LETTER_BYTES


names = st.sampled_from(["acme", "globex", "", "acme ", "\n", 'x","tenant":"globex'])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([to_binary_event, to_structured_event, None]), names, names, st.binary(max_size=40))
def test_whatever_is_written_to_a_topic_of_one_tenant_is_that_tenants(
    bind: Any, inside: str, outside: str, noise: bytes
) -> None:
    if bind is None:
        value = lines(usage("1", tenant=inside), usage("2", tenant=None), b'{"tenant":"globex",' + noise)
        message = KafkaMessage({"ce_tenant": outside.encode()}, None, value)
    else:
        message = bind(cloud({**DATA, "tenant": inside}, tenant=outside))
    priced = run(message, ACME)
    assert {cost.tenant for cost in costs(priced)} | {dead.tenant for dead in priced.dead_letters} == {"acme"}
    assert priced.events + len(priced.dead_letters) >= 1
