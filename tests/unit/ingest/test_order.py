"""P18: which of two bodies was accepted last is what ingest says, line by line, record by record."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.unit.ingest.rig import Rig

from outlay_schemas.acceptance import Stamp, stamp_of


def _stamps(rig: Rig) -> list[tuple[Stamp, bytes]]:
    """Each line on the bus with its stamp, in the order that the pricer gives them."""
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
