"""Dead letters read from Kafka, and rollup windows that must become smaller. Pure."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from outlay_schemas.dead_letters import MOST_BAD, dead_letter
from outlay_schemas.dimensions import CELL, EXACT, OTHER_USERS
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import DeadLetter, RollupGroup, dead_letter_decoder, encoder, rollup_window_decoder
from outlay_schemas.grammar import FIRST_YEAR, LAST_YEAR
from outlay_schemas.money import to_pico, to_usd


def read(value: bytes, place: tuple[str, int, int], at: datetime) -> list[DeadLetter]:
    """Read the dead letters of a record. A line that is not a valid one becomes one.

    The work is bounded: after `MOST_BAD` such lines the rest of the record becomes one dead letter.
    """
    found: list[DeadLetter] = []
    bad = 0
    lines = enumerate(value.split(b"\n"))
    for number, line in lines:
        if not line.strip():
            continue
        try:
            read_one = dead_letter_decoder.decode(line)
            _check(read_one)
        except (*UNREADABLE, ValueError) as error:
            bad += 1
            if bad > MOST_BAD:
                line = b"\n".join([line, *(rest for _, rest in lines)])  # noqa: PLW2901 (the loop ends)
            reason = Invalid("dead_letter_invalid", str(error))
            read_one = dead_letter("aggregator", line, reason, at, line=number, place=place)
        found.append(read_one)
    return found


def _check(read_one: DeadLetter) -> None:
    """Raise ValueError if the table cannot hold a dead letter."""
    limits = (("line", 0, 2**32), ("partition", -1, 2**31), ("offset", -1, 2**63))
    for name, least, end in limits:
        if not least <= getattr(read_one, name) < end:
            raise ValueError(f"{name} is not from {least} to {end - 1}")
    if read_one.at.tzinfo is None or not FIRST_YEAR <= read_one.at.year <= LAST_YEAR:
        raise ValueError(f"at is not a time with a zone from {FIRST_YEAR} to {LAST_YEAR}")


def thin(line: bytes, kept: Sequence[str] = EXACT) -> bytes:
    """Return a window without usage, and without users and all dimensions but those `kept`.

    It is for when the whole is too large for a record. With none kept, it is one cell with the totals.
    """
    window = rollup_window_decoder.decode(line)
    folded = {name: OTHER_USERS for name in CELL if name not in kept}
    cells: dict[tuple[str, ...], RollupGroup] = {}
    for group in window.groups:
        key = tuple(getattr(group, name) for name in kept)
        if key in cells:
            _add(cells[key], group)
        else:
            cells[key] = msgspec.structs.replace(group, usage={}, **folded)
    return encoder.encode(msgspec.structs.replace(window, groups=list(cells.values())))


def _add(known: RollupGroup, group: RollupGroup) -> None:
    for name in ("cost", "estimated_cost", "markup"):
        setattr(known, name, to_usd(to_pico(getattr(known, name)) + to_pico(getattr(group, name))))
    for name in ("events", "unpriced_events", "estimated_events", "free_events"):
        setattr(known, name, getattr(known, name) + getattr(group, name))
