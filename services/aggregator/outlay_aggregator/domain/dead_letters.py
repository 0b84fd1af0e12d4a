"""Dead letters, and messages that must be made smaller."""

from datetime import datetime

import msgspec

from outlay_aggregator.domain.rollup_sql import OTHER
from outlay_schemas.dead_letters import dead_letter
from outlay_schemas.dimensions import CELL, EXACT
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import (
    DeadLetter,
    RollupGroup,
    RollupWindow,
    dead_letter_decoder,
    encoder,
    rollup_window_decoder,
)
from outlay_schemas.money import to_pico, to_usd


def read(value: bytes, place: tuple[str, int, int], at: datetime) -> list[DeadLetter]:
    """Read the dead letters of a record. What is no dead letter becomes one: nothing vanishes."""
    found = []
    for number, line in enumerate(value.split(b"\n")):
        if not line.strip():
            continue
        try:
            found.append(dead_letter_decoder.decode(line))
        except (*UNREADABLE, ValueError) as error:
            reason = Invalid("dead_letter_invalid", str(error))
            found.append(dead_letter("aggregator", line, reason, at, line=number, place=place))
    return found


def thin(line: bytes) -> bytes:
    """Return a window without users and usage, for when the whole is too large for a record."""
    window = rollup_window_decoder.decode(line)
    cells: dict[tuple[str, ...], RollupGroup] = {}
    for group in window.groups:
        key = _dimensions(group)
        known = cells.get(key)
        if known is None:
            cells[key] = msgspec.structs.replace(group, user=OTHER, usage={})
        else:
            _add(known, group)
    thinned: RollupWindow = msgspec.structs.replace(window, groups=list(cells.values()))
    return encoder.encode(thinned)


def bare(line: bytes) -> bytes:
    """Return a window as one cell with its totals, for when even the thin one is too large for a record."""
    window = rollup_window_decoder.decode(line)
    everything = msgspec.structs.replace(window.groups[0], **dict.fromkeys(CELL, OTHER), usage={})
    for group in window.groups[1:]:
        _add(everything, group)
    return encoder.encode(msgspec.structs.replace(window, groups=[everything]))


def _add(known: RollupGroup, group: RollupGroup) -> None:
    """Add the measures of one cell to another's; not the usage."""
    for name in ("cost", "estimated_cost", "markup"):
        setattr(known, name, to_usd(to_pico(getattr(known, name)) + to_pico(getattr(group, name))))
    for name in ("events", "unpriced_events", "estimated_events"):
        setattr(known, name, getattr(known, name) + getattr(group, name))


def _dimensions(group: RollupGroup) -> tuple[str, ...]:
    return tuple(getattr(group, name) for name in EXACT)
