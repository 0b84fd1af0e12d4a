"""Chargeback as sheets: all units of a month on one, and the lines of each."""

from collections.abc import Sequence
from datetime import datetime

from outlay_reports.chargeback import OWN, Closing, Statement
from outlay_reports.cost_query import Sums
from outlay_reports.money import counted, dollars
from outlay_reports.report_builders import AMOUNTS, beside
from outlay_reports.report_table import Column, ReportTable, Row, Spent
from outlay_schemas.dimensions import name_of


def state_of(closing: Closing | None, end: datetime, now: datetime, statement: str = "") -> str:
    """Say whether a month is closed (as which `statement`), still running, or over and open."""
    if closing is not None:
        named = f" as statement {statement}" if statement else ""
        return f"closed {closing.at:%Y-%m-%d %H:%M} UTC by {closing.by}{named}"
    return (
        "still running: these are costs so far" if end > now else "over, and not closed: it may still change"
    )


def chargeback_table(
    month: str,
    zone: str,
    by: Sequence[str],
    found: Sequence[Statement],
    state: str,
) -> ReportTable:
    """Return a month's statements by unit, then by line. Amendments are lines of their own and add up."""
    depth = len(by) - 1
    rows = [row for statement in found for row in _rows(statement, depth)]
    total = sum(statement.amended for statement in found)
    unpriced = sum(statement.unpriced for statement in found)
    changed = sum(item.change for statement in found for item in statement.amendments)
    notes = [f"{month} is {state}"]
    if changed or any(statement.amendments for statement in found):
        notes.append(f"{dollars(changed, sign=True)} of amendments since the month was closed")
    if unpriced:
        notes.append(f"{counted(unpriced, 'event')} unpriced: the totals are lower bounds")
    provider = sum(statement.of_provider for statement in found)
    columns = (
        Column(by[0], by[0].replace("_", " ")), Column("line", "line"),
        *(Column(name, name.replace("_", " ")) for name in by[1:]),
        AMOUNTS["charged"], beside("charged", Sums(total, beside=provider)), Column("events", "events", "count"),
    )  # fmt: skip
    return ReportTable(
        "chargeback", f"Chargeback, {month}, {zone}", columns, tuple(rows),
        Row((None, None, *[None] * depth, Spent(total, unpriced), Spent(provider, unpriced), None)), tuple(notes),
        {"month": month, "tz": zone, "by": list(by), "state": state},
    )  # fmt: skip


def _rows(statement: Statement, depth: int) -> list[Row]:
    """Return the row of a unit, and one for each of its lines and amendments."""
    unit = name_of(statement.unit)
    whole = Spent(statement.amended, statement.unpriced)
    provider = Spent(statement.of_provider, statement.unpriced)
    rows = [Row((unit, None, *[None] * depth, whole, provider, None), 0, leaf=False)]
    for line in statement.lines:
        keys = _keys(line.what, line.keys, depth)
        amounts = Spent(line.cost, line.unpriced), Spent(line.of_provider, line.unpriced)
        rows.append(Row((unit, line.what, *keys, *amounts, line.events or None), 1))
    for item in statement.amendments:
        keys = _keys(item.what, item.keys, depth)
        changes = Spent(item.change), Spent(item.provider_change)
        rows.append(Row((unit, f"amendment ({item.what})", *keys, *changes, None), 1))
    return rows


def _keys(what: str, keys: tuple[str, ...], depth: int) -> list[str]:
    """Return what a line is about; of a shared cost that is only the name of its split."""
    return [name_of(key) for key in keys] if what == OWN else [*keys, *[""] * (depth - len(keys))]
