"""P18: which of two bodies was accepted last is what ingest says, line by line, record by record."""

import asyncio
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.ingest_rig import JSON, Rig

from outlay_ingest.domain.focus import read_focus
from outlay_schemas.acceptance import Stamp, stamp_of
from outlay_schemas.events import UsageEvent, encoder, usage_event_decoder

GOLDEN = Path(__file__).parents[2] / "golden"


def _stamps(rig: Rig) -> list[tuple[Stamp, bytes]]:
    """Each line on Kafka with its stamp, in the order that the pricer gives them."""
    found = []
    for (_, value), headers in zip(rig.sink.sent, rig.sink.headers, strict=True):
        first = stamp_of(list(headers), 0, 0)
        found += [(first.after(n), line) for n, line in enumerate(value.split(b"\n"))]
    return sorted(found)


async def test_the_lines_of_a_body_of_many_records_are_accepted_in_their_order(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(linger_ms=5)
    chunks = [b"\n".join(b"%d" % (n + line) for line in range(500)) for n in range(0, 3000, 500)]
    await asyncio.gather(*(rig.writer.write("acme", chunk, 500) for chunk in chunks))
    await rig.writer.write("acme", b"last", 1)
    assert [line for _, line in _stamps(rig)] == [*(b"%d" % n for n in range(3000)), b"last"]


async def test_of_two_requests_the_one_that_was_answered_first_is_the_older(
    make_rig: Callable[..., Any],
) -> None:
    rig = make_rig(linger_ms=0)
    for n in range(20):
        await rig.writer.write("acme", b"%d" % n, 1)
    assert [line for _, line in _stamps(rig)] == [b"%d" % n for n in range(20)]


def _counted(rig: Rig) -> list[UsageEvent]:
    """The events that count: of each identity the one accepted last."""
    found = [usage_event_decoder.decode(line) for _, line in _stamps(rig)]
    return list({(event.source, event.id): event for event in found}.values())


async def test_an_opencost_window_that_is_asked_again_replaces_the_first(rig: Rig) -> None:
    """5 of 12 took effect: 17 USD, right 24."""
    for usd in (1, 2):
        body = json.loads((GOLDEN / "opencost-allocation.json").read_bytes())
        allocation = next(iter(body["data"][0].values()))
        costs = {name: 0 for name in allocation if name.endswith("Cost") and name != "totalCost"}
        pods = {f"pod-{n}": {**allocation, **costs, "cpuCost": usd, "totalCost": usd} for n in range(12)}
        headers = {"Content-Type": JSON, "Authorization": f"Bearer {rig.key}"}
        answer = await rig.client.post(
            "/v1/opencost", content=json.dumps({**body, "data": [pods]}).encode(), headers=headers
        )
        assert answer.status_code == 202, answer.text
    assert sum(event.reported_cost or 0 for event in _counted(rig)) == 24
    assert len(_counted(rig)) == 12


async def test_a_line_of_a_bill_that_is_restated_replaces_the_first(rig: Rig) -> None:
    """A line restated from 100 to 99 stayed 100: a charge's identity is not its amount, and the later one counts."""
    for billed in ("100", "99"):
        with (GOLDEN / "focus-1.2.csv").open() as bill:
            row = next(csv.DictReader(bill))
        [item] = read_focus([{**row, "EffectiveCost": billed}])
        assert item is not None
        assert isinstance(item.event, UsageEvent)
        await rig.writer.write("acme", encoder.encode(item.event), 1)
    [charge] = _counted(rig)
    assert charge.reported_cost == 99
