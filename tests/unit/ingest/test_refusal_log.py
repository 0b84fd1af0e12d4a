"""Each answer names its request, and the log names the requests of which something was refused: not without end."""

import asyncio
import io
import json
from itertools import pairwise
from typing import Any

import pytest
from tests.support.ingest_rig import AWAY, MakeRig, usage

from outlay_ingest.requests import LINES_A_SECOND
from outlay_kit.tracing import HEADER, MOST_IN_RECORD


async def test_each_request_has_an_id_of_its_own(make_rig: MakeRig) -> None:
    rig = make_rig()
    ids = [(await rig.post(usage())).headers["x-request-id"] for _ in range(3)]
    assert all(one != other for one, other in pairwise(ids))


@pytest.mark.parametrize(
    ("sent", "used"),
    [("5f0c-a:1.2", True), ("x" * 65, False), ("a b", False), ("out_live_k_secret", False), ("", False)],
)
async def test_the_callers_id_is_used_if_it_is_one_and_no_key(
    make_rig: MakeRig, sent: str, used: bool
) -> None:
    answer = await make_rig().post(usage(), x_request_id=sent)
    assert (answer.headers["x-request-id"] == sent) is used


async def test_what_is_refused_is_logged_with_request_and_event(make_rig: MakeRig, logs: io.StringIO) -> None:
    rig = make_rig()
    fine = await rig.post(usage())
    bad = await rig.post([usage(), {**usage("2"), "kind": "no such"}])
    unknown = await rig.post(usage(), key="out_live_no_such")
    rig.sink.failure = AWAY
    away = await rig.post(usage())
    assert [answer.status_code for answer in (fine, bad, unknown, away)] == [202, 202, 401, 503]
    answered = [
        (line["event"], line["request_id"], line["code"], line.get("event_id")) for line in lines(logs)
    ]
    assert answered == [
        ("dead letters", bad.headers["x-request-id"], "wrong_type", "2"),
        ("a request was refused", unknown.headers["x-request-id"], "key_unknown", None),
        ("a request was refused", away.headers["x-request-id"], "kafka_unavailable", None),
    ]
    assert "out_live" not in logs.getvalue()


async def test_a_flood_of_refusals_is_counted_and_not_logged_line_by_line(
    make_rig: MakeRig, logs: io.StringIO
) -> None:
    rig = make_rig()
    for _ in range(LINES_A_SECOND + 5):
        await rig.post(usage(), key="out_live_no_such")
    rig.clock.advance(1)
    await rig.post(usage(), key="out_live_no_such")
    answered = lines(logs)
    assert len(answered) == LINES_A_SECOND + 1
    assert answered[-1]["left_out"] == 5


async def test_a_record_carries_the_traces_of_its_requests_and_no_more_than_so_many(
    make_rig: MakeRig,
) -> None:
    rig = make_rig(linger_ms=5)
    one = (HEADER, b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    await asyncio.gather(*(rig.writer.write("acme", b"{}", 1, one) for _ in range(MOST_IN_RECORD + 3)))
    await rig.writer.write("acme", b"{}", 1)
    traces = [[header for header in headers if header[0] == HEADER] for headers in rig.sink.headers]
    assert traces == [[one] * MOST_IN_RECORD, []]


def lines(logs: io.StringIO) -> list[dict[str, Any]]:
    every = [json.loads(line) for line in logs.getvalue().splitlines()]
    return [line for line in every if line["logger"] == "outlay_ingest.requests"]
