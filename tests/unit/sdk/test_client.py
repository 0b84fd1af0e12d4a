"""The SDK tells what was used, whole and once; it never fails or holds up its caller."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
from decimal import Decimal
from typing import Any

import pytest
from tests.support.sdk_rig import AWAY, NEVER, make

from outlay_schemas.events import usage_event_decoder
from outlay_schemas.validate import check_usage_event
from outlay_sdk import HttpTransport, Meter, Outlay

CALL: dict[str, Any] = {"provider": "anthropic", "sku": "claude-sonnet-4-5", "usage": {"input_tokens": 10}}


def test_an_event_is_as_the_contract_asks() -> None:
    outlay, held = make(team="growth", tags={"env": "prod"})
    outlay.track(
        **CALL,
        user="u-17",
        tags={"build": 7},
        attributes={"region": "eu"},
        reported_cost=Decimal("0.0123"),
    )
    assert outlay.flush()
    (line,) = held.batches[0]
    event = usage_event_decoder.decode(line)
    check_usage_event(event)
    assert (event.source, event.sku, event.kind) == ("t", "claude-sonnet-4-5", "llm")
    assert event.activity is None, "the pricer infers what the program does not state"
    assert (event.team, event.user, event.tags) == ("growth", "u-17", {"env": "prod", "build": "7"})
    assert (event.attributes, event.reported_cost) == ({"region": "eu"}, Decimal("0.0123"))
    assert event.time.isoformat() == "2026-11-25T09:46:40.123456+00:00"


def test_quantities_are_exact() -> None:
    outlay, held = make()
    outlay.track(sku="disk", kind="storage", usage={"gb_hours": 0.1, "gb": Decimal("1e-9"), "n": 10**15})
    assert outlay.flush()
    assert held.events()[0]["usage"] == {"gb_hours": "0.1", "gb": "0.000000001", "n": 10**15}
    assert usage_event_decoder.decode(held.batches[0][0]).usage["gb_hours"] == Decimal("0.1")


def test_batches_are_sent_again_with_the_same_ids() -> None:
    outlay, held = make(batch=3)
    held.failures = [AWAY, AWAY]
    for _ in range(5):
        outlay.track(**CALL)
    assert outlay.flush(10)
    assert held.attempts[0] == held.attempts[1] == held.attempts[2] == held.batches[0]
    ids = [event["id"] for event in held.events()]
    assert len(set(ids)) == len(ids) == 5
    assert (outlay.stats.tracked, outlay.stats.sent, outlay.stats.dropped) == (5, 5, 0)


def test_memory_is_bounded_and_what_is_dropped_is_counted() -> None:
    outlay, held = make(max_events=10, batch=2)
    held.open.clear()
    for _ in range(100):
        outlay.track(**{**CALL, "tags": {"x": "y" * 10_000}})
    held.open.set()
    assert outlay.flush(10)
    stats = outlay.stats
    assert stats.tracked == 100 == stats.sent + stats.dropped
    assert 10 <= stats.sent <= 14
    assert len(held.events()[0]["tags"]["x"]) == 256


@pytest.mark.parametrize("usage", [None, 7, {"a": object()}, {"a": float("nan")}, {"a": float("inf")}])
def test_nothing_raises_whatever_is_given(usage: Any) -> None:
    outlay, held = make()
    outlay.track(sku="m", usage=usage)
    outlay.track(**CALL, tags="no mapping")  # type: ignore[call-overload]
    outlay.track(**CALL, colour="blue")  # type: ignore[call-overload]
    outlay.record(object())
    outlay.record(None)
    assert outlay.flush()
    assert [event["sku"] for event in held.events()] == ["claude-sonnet-4-5"]
    assert outlay.stats.dropped == 2


def test_a_wrong_key_is_said_in_the_log_and_does_not_go_round(caplog: pytest.LogCaptureFixture) -> None:
    outlay, held = make()
    held.failures = [NEVER]
    outlay.track(**CALL)
    with caplog.at_level(logging.WARNING, "outlay_sdk"):
        assert outlay.flush()
    assert (len(held.attempts), outlay.stats.refused) == (1, 1)
    assert "wrong key" in caplog.text


def test_refused_events_are_counted_and_logged_once_for_each_reason(caplog: pytest.LogCaptureFixture) -> None:
    outlay, held = make()
    for number, code in enumerate(["wrong_type", "wrong_type", "usage_negative"], 1):
        held.refused = [f"line {number}: $.sku: no [{code}]"]
        outlay.track(**CALL)
        assert outlay.flush()
    assert outlay.stats.refused == 3
    refused = [record.message for record in caplog.records if "refused" in record.message]
    assert [text.rpartition("[")[2] for text in refused] == ["wrong_type]", "usage_negative]"]


def test_a_model_may_be_named_model() -> None:
    outlay, held = make()
    outlay.track(provider="openai", model="gpt-4o", usage={"input_tokens": 1})
    assert outlay.flush()
    assert [event["sku"] for event in held.events()] == ["gpt-4o"]


def test_an_event_without_a_model_is_counted_as_dropped(caplog: pytest.LogCaptureFixture) -> None:
    outlay, held = make()
    outlay.track(usage={"input_tokens": 1})  # type: ignore[call-overload]
    assert (outlay.flush(), held.events(), outlay.stats.dropped) == (True, [], 1)
    assert "track needs sku or model" in caplog.text


def test_without_an_address_nothing_is_sent_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("OUTLAY_URL", raising=False)
    outlay = Outlay(flush_at_exit=0)
    outlay.track(**CALL)
    assert outlay.flush()
    assert outlay.stats.dropped == 1
    assert "OUTLAY_URL" in caplog.text
    Outlay("nonsense", "key", flush_at_exit=0).track(**CALL)


def test_context_says_whose_it_is_and_nests_and_follows_tasks() -> None:
    outlay, held = make(team="base", tags={"env": "prod"})

    async def call(user: str) -> None:
        with outlay.context(user=user, tags={"who": user}):
            await asyncio.sleep(0)
            outlay.track(**CALL)

    @outlay.attributed(use_case="chat")
    async def both() -> str:
        await asyncio.gather(call("a"), call("b"))
        return "done"

    @outlay.attributed(project="p")
    def plain() -> None:
        outlay.track(**CALL, team="own")

    assert asyncio.run(both()) == "done"
    plain()
    outlay.track(**CALL)
    assert outlay.flush()
    first, second, third, last = held.events()
    assert [(e["use_case"], e["user"], e["tags"]) for e in (first, second)] == [
        ("chat", "a", {"env": "prod", "who": "a"}),
        ("chat", "b", {"env": "prod", "who": "b"}),
    ]
    assert (third["project"], third["team"]) == ("p", "own")
    assert "use_case" not in last
    assert last["tags"] == {"env": "prod"}


def test_many_threads_lose_nothing() -> None:
    outlay, held = make(max_events=100_000)

    def run() -> None:
        for _ in range(500):
            outlay.track(**CALL)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outlay.flush(20)
    assert len({event["id"] for event in held.events()}) == 4000


def test_close_flushes_and_gives_up_in_time() -> None:
    outlay, held = make()
    outlay.track(**CALL)
    assert outlay.close()
    assert (len(held.events()), held.closed) == (1, True)
    outlay.track(**CALL)
    assert outlay.stats.dropped == 1
    stuck, held = make()
    held.failures = [AWAY] * 1000
    stuck.track(**CALL)
    stuck.close(0.3)
    assert stuck.stats.dropped == 1


def test_a_program_that_ends_sends_what_waits() -> None:
    code = """
import sys
from outlay_sdk import Outlay
class Out:
    def send(self, path, lines): sys.stdout.buffer.write(b"".join(line + b"\\n" for line in lines)); return ()
    def close(self): sys.stdout.flush()
Outlay(transport=Out(), linger=60).track(sku="m", usage={"input_tokens": 1})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=True)
    assert json.loads(done.stdout)["sku"] == "m"
    assert not done.stderr


def test_a_forked_child_has_ids_of_its_own_and_sends_for_itself() -> None:
    code = """
import os
from outlay_sdk import Outlay
class Out:
    def send(self, path, lines): os.write(1, b"".join(line + b"\\n" for line in lines)); return ()
    def close(self): pass
outlay = Outlay(transport=Out(), linger=60, flush_at_exit=0)
outlay.track(sku="parent", usage={"n": 1})
if os.fork() == 0:
    outlay.track(sku="child", usage={"n": 1}); outlay.flush(); os._exit(0)
os.wait(); outlay.flush()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, timeout=30, check=True
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(event["sku"] for event in events) == ["child", "parent"]
    assert events[0]["id"] != events[1]["id"]
    assert os.getpid()


def test_an_address_must_be_one() -> None:
    with pytest.raises(ValueError, match="address"):
        HttpTransport("ftp://x", "k")


def test_a_meter_tells_all_of_a_job_and_nothing_twice() -> None:
    outlay, held = make()
    now = [100.0]
    meter = Meter(
        outlay, provider="aws", sku="p5.48xlarge", machines=2, job="j", project="llm", every=3600,
        monotonic=lambda: now[0],
    )  # fmt: skip
    with meter:
        now[0] += 61.5
        meter.send_usage()
        meter.send_usage()
        now[0] += 0.0004
    assert outlay.flush()
    (event,) = held.events()
    assert (event["id"], event["kind"], event["activity"], event["project"]) == (
        "j-1",
        "compute",
        "training",
        "llm",
    )
    assert event["usage"] == {"compute_seconds": "123"}


def test_a_meter_of_gpus_tells_while_it_runs_and_when_it_fails() -> None:
    outlay, held = make()

    def train() -> None:
        with Meter(outlay, sku="h100", gpus=8, every=0.05) as meter:
            meter.send_usage()
            threading.Event().wait(0.2)
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        train()
    assert outlay.flush()
    assert len(held.events()) >= 2
    assert sum(Decimal(event["usage"]["gpu_seconds"]) for event in held.events()) >= Decimal("1.6")
