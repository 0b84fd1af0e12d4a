"""Traces are off unless asked for, and then cost nothing; what a header says is believed no further than it holds."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.otlp_receiver import Collector, collecting

from outlay_kit.otel import Tracing
from outlay_kit.tracing import HEADER, MOST_IN_RECORD, parents, wanted

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = PARENT[3:35]
UNSAMPLED = PARENT[:-1] + "0"
OTLP = "opentelemetry.proto"
"""What ingest reads of those who send OpenTelemetry to it: the messages, and no more."""
IMPORTED = """
import sys
import {module}
from outlay_kit.tracing import start
assert start("x") is None
print(*[name for name in sys.modules if name.startswith("opentelemetry.") and not name.startswith("{format}")])
"""


@pytest.mark.parametrize("module", ["outlay_ingest.main", "outlay_pricer.main", "outlay_aggregator.main"])
def test_where_traces_are_off_the_sdk_is_not_even_imported(module: str) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    code = IMPORTED.format(module=module, format=OTLP)
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.split(), done.returncode) == ([], 0), done.stderr


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_standard_variables_ask_for_traces(environment: dict[str, str], asked: bool) -> None:
    assert wanted(environment) is asked


def test_a_record_names_so_many_traces_and_no_more() -> None:
    header = (HEADER, PARENT.encode())
    assert parents(None) == parents(()) == parents([("ce_id", b"1")]) == []
    assert parents([("ce_id", b"1"), header]) == parents({HEADER: PARENT.encode()}) == [PARENT]
    assert len(parents([header] * 100)) == MOST_IN_RECORD


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


def test_spans_go_on_with_each_trace_of_a_record(collector: Collector) -> None:
    tracing = Tracing("pricer")
    other = PARENT.replace(TRACE, "1" * 32)
    with tracing.spans("price", [PARENT, "no traceparent", UNSAMPLED, other], {"outlay.n": 1}) as onwards:
        pass
    tracing.close()
    assert [(span.trace, span.parent) for span in collector.spans] == [
        (TRACE, "b7ad6b7169203331"), ("1" * 32, "b7ad6b7169203331"),
    ]  # fmt: skip
    assert onwards == [(HEADER, f"00-{span.trace}-{span.id}-01".encode()) for span in collector.spans], (
        "what goes on names the span that was made"
    )


def test_a_request_without_a_caller_begins_a_trace(collector: Collector) -> None:
    tracing = Tracing("ingest")
    span = tracing.request("POST", None, {})
    child = span.child("publish")
    assert child.header is not None
    child.end()
    span.end()
    tracing.close()
    assert {seen.trace for seen in collector.spans} == {span.trace_id}
    assert {seen.service for seen in collector.spans} == {"outlay-ingest"}


def test_the_standard_sampler_decides(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    tracing = Tracing("ingest")
    ours, theirs = tracing.request("POST", None, {}), tracing.request("POST", PARENT, {})
    assert ours.header is None
    assert theirs.header is not None
    for span in (ours, theirs):
        span.end()
    tracing.close()
    assert [span.trace for span in collector.spans] == [TRACE]


def test_work_that_is_done_is_noted_with_its_own_times(collector: Collector) -> None:
    tracing = Tracing("aggregator")
    start = datetime(2026, 11, 24, 12, tzinfo=UTC)
    tracing.note("roll up", [PARENT, "", "x"], start, start + timedelta(milliseconds=250), {})
    tracing.close()
    assert [(span.trace, span.end - span.start) for span in collector.spans] == [(TRACE, 250_000_000)]
    assert collector.spans[0].start == int(start.timestamp()) * 10**9
