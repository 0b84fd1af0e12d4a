"""One event, in one trace, through every service: over the system as a user runs it."""

import json
import secrets
from collections.abc import Iterator

import httpx
import pytest
from tests.support.otlp_receiver import Collector, collecting
from tests.support.system import Cli
from tests.support.waiting import until

from outlay.local.state import keys_path
from outlay_kit.clock import SystemClock
from outlay_kit.keys import KeyFile

pytestmark = pytest.mark.stack
USAGE = {"kind": "llm", "provider": "openai", "sku": "gpt-4o-mini", "usage": {"input_tokens": 1000}}
SPANS = {
    ("outlay-ingest", "POST /v1/events"),
    ("outlay-ingest", "publish usage.events"),
    ("outlay-pricer", "price"),
    ("outlay-aggregator", "write to the ledger"),
    ("outlay-aggregator", "roll up"),
}


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cli, Collector]]:
    """A running system that sends its traces here."""
    cli = Cli(tmp_path_factory.mktemp("traced"))
    with collecting() as collector, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        cli("up", "--ports", "auto")
        yield cli, collector
        cli("down")


def test_an_event_posted_with_a_traceparent_is_one_trace_through_all_services(
    traced: tuple[Cli, Collector],
) -> None:
    cli, collector = traced
    trace, caller = secrets.token_hex(16), secrets.token_hex(8)
    answer = post(cli, event("traced-1"), traceparent=f"00-{trace}-{caller}-01", x_request_id="asked-17")
    assert (answer.status_code, answer.headers["x-request-id"]) == (202, "asked-17")
    until(lambda: {(span.service, span.name) for span in collector.of(trace)} == SPANS, 30, "the trace")
    by_name = {span.name: span for span in collector.of(trace)}
    request, publish, price = (by_name[n] for n in ("POST /v1/events", "publish usage.events", "price"))
    assert (request.parent, publish.parent, price.parent) == (caller, request.id, publish.id)
    assert request.attributes["outlay.request_id"] == "asked-17"
    assert price.attributes["messaging.destination.name"] == "usage.events"
    ledger, rollups = by_name["write to the ledger"], by_name["roll up"]
    assert {ledger.parent, rollups.parent} == {price.id}
    assert price.start <= ledger.end == rollups.start < rollups.end


def test_a_trace_that_its_caller_does_not_sample_leaves_no_span(traced: tuple[Cli, Collector]) -> None:
    cli, collector = traced
    unsampled, sampled = secrets.token_hex(16), secrets.token_hex(16)
    post(cli, event("traced-2"), traceparent=f"00-{unsampled}-{secrets.token_hex(8)}-00")
    post(cli, event("traced-3"), traceparent=f"00-{sampled}-{secrets.token_hex(8)}-01")
    until(lambda: len(collector.of(sampled)) == len(SPANS), 30, "the other trace")
    assert not collector.of(unsampled)


def test_logs_name_the_request_the_event_and_the_trace_of_what_was_refused(
    traced: tuple[Cli, Collector],
) -> None:
    cli, _ = traced
    trace = secrets.token_hex(16)
    answer = post(cli, {**event("bad-1"), "kind": "no such"}, traceparent=f"00-{trace}-{'1' * 16}-01")
    assert answer.status_code == 422
    lines = [json.loads(line) for line in (cli.home / "logs" / "ingest.log").read_text().splitlines()]
    refusal = next(line for line in lines if line.get("request_id") == answer.headers["x-request-id"])
    assert (refusal["event"], refusal["event_id"], refusal["trace_id"]) == ("dead letters", "bad-1", trace)


def event(event_id: str) -> dict[str, object]:
    now = SystemClock().now().isoformat()
    return {"id": event_id, "source": "traces", "time": now, **USAGE}


def post(cli: Cli, body: object, **headers: str) -> httpx.Response:
    key = KeyFile(keys_path(cli.home)).create("traces", ("ingest",), SystemClock().now())
    sent = {"x-api-key": key, **{name.replace("_", "-"): value for name, value in headers.items()}}
    url = f"{cli.state().ingest}/v1/events"

    def known() -> bool:
        return httpx.post(url, content=b"", headers={"x-api-key": key}).status_code != 401

    until(known, 10, "the key known")
    return httpx.post(url, json=body, headers=sent, timeout=30)
