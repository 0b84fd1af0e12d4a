from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from outlay.demo.trace import Call, TraceError, parse_trace, read_trace
from outlay.demo.workload import INCIDENT_CALLS, WORKLOADS, usage_events
from outlay_schemas.validate import check_usage_event

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def test_the_bundled_trace_is_the_whole_hour() -> None:
    calls = read_trace(None)
    assert len(calls) == 8819
    assert sum(call.context_tokens for call in calls) == 18_059_974
    assert calls[0].at == datetime(2023, 11, 16, 18, 17, 3, 979960, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TIMESTAMP,ContextTokens\n", "no column GeneratedTokens"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n", "holds no call"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,2\n", "line 2"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9,1,x\n", "line 2"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9,1,-2\n", "negative"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9,1\n", "line 2"),
    ],
)
def test_a_bad_trace_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(TraceError, match=message):
        parse_trace(text.splitlines(), "t.csv")


def test_a_missing_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cannot be read"):
        read_trace(tmp_path / "none.csv")


def test_the_same_trace_and_start_give_the_same_events() -> None:
    calls = read_trace(None)
    assert usage_events(calls, START) == usage_events(calls, START)


def test_every_event_is_valid_and_has_its_own_id() -> None:
    events = usage_events(read_trace(None), START)
    for event in events:
        check_usage_event(event)
    assert len({event.id for event in events}) == len(events)
    assert events == sorted(events, key=lambda event: event.time)
    kinds = Counter(event.kind for event in events)
    assert kinds["llm"] == 8819 + INCIDENT_CALLS
    assert kinds["compute"] > 50
    assert kinds["storage"] > 0
    assert kinds["transfer"] > 0


def test_a_short_trace_has_no_incident() -> None:
    at = datetime(2023, 1, 1, tzinfo=UTC)
    events = usage_events([Call(at, 10, 1), Call(at + timedelta(minutes=3), 10, 1)], START)
    assert not [event for event in events if event.id.startswith("loop-")]
    assert events[0].time == START


def test_the_shares_of_the_workloads_are_a_whole() -> None:
    assert sum(work.share for work in WORKLOADS) == 100
