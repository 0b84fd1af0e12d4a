"""A month's statements as they are asked for, as tables and as files: the command line and the read API agree."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from outlay_kit.time_ranges import period_of
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.allocation import Allocation, allocate, dimensions_of
from outlay_reports.chargeback import (
    OWN,
    Amendment,
    Closing,
    Line,
    Statement,
    lines_of,
    statement_id,
    statements,
)
from outlay_reports.cost_query import CostQuery, Sums, parse_dimensions
from outlay_reports.errors import QueryError
from outlay_reports.money import counted, dollars
from outlay_reports.periods import parse_time_range, parse_zone
from outlay_reports.report_table import (
    AMOUNTS,
    EVENTS,
    Column,
    ReportTable,
    Row,
    Spent,
    amount_columns,
    dimension_columns,
)
from outlay_schemas.catalog import Split
from outlay_schemas.currency import USD
from outlay_schemas.digests import digest
from outlay_schemas.dimensions import PAYER, name_of

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
_TAKEN = {"index", "unassigned"}
_NAME_LENGTH = 40
"""Most characters that a file name keeps of a unit's own."""


@dataclass(frozen=True)
class ChargebackMonth:
    """A month of one tenant: its lines as they stand, and every closing, the first first."""

    question: CostQuery
    lines: tuple[Line, ...]
    closings: tuple[Closing, ...]

    @property
    def name(self) -> str:
        """As 2026-11."""
        return _month_name(self.question)

    @property
    def closing(self) -> Closing | None:
        """The newest closing; None: the month is open."""
        return self.closings[-1] if self.closings else None

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Return a statement for each unit: as closed with its amendments, else as it stands."""
        return statements(self.lines, self.closing)


def _month_name(question: CostQuery) -> str:
    return f"{question.span.start.astimezone(question.zone):%Y-%m}"


def allocate_query(reader: CostReader, question: CostQuery, splits: Sequence[Split]) -> Allocation:
    """Read a question's costs and share those that the splits are about. Raises Retryable."""
    more = tuple(name for name in dimensions_of(splits) if name not in question.by)
    deep = replace(question, by=(*question.by, *more))
    return allocate(reader.cells(deep), deep.by, len(question.by), splits)


def parse_chargeback_query(
    tenant: str,
    now: datetime,
    *,
    month: str | None = None,
    unit: str = PAYER,
    lines: str = "team,provider,model",
    tz: str = "UTC",
) -> CostQuery:
    """Return the question of a month (2026-11; none: this one): who pays, what a line is. Raises QueryError."""
    zone = parse_zone(tz)
    if month is None:
        span = period_of(now, "month", zone)
    elif len(month) == 7:
        span = parse_time_range(month, month, zone, now)
    else:
        raise QueryError(f"{month!r} is not a month", "give it as 2026-11")
    return CostQuery(span, zone, parse_dimensions(f"{unit},{lines}"), {}, (tenant,), amount="charged")


def read_month(reader: CostReader, question: CostQuery, splits: Sequence[Split]) -> ChargebackMonth:
    """Read a month. Raises QueryError if it was closed with other lines or in USD, and Retryable."""
    lines, depth = lines_of(allocate_query(reader, question, splits)), len(question.by) - 1
    closings = tuple(reader.closings(question.tenants[0], _month_name(question), question.zone.key))
    if closings and question.currency != USD:
        raise QueryError(
            f"{_month_name(question)} was closed in USD", "ask for its statements in USD: --currency USD"
        )
    closed = next((len(line.keys) for one in closings[-1:] for line in one.lines if line.what == OWN), depth)
    if closed != depth:
        raise QueryError(
            f"the month was closed with lines of {closed} dimensions, and these have {depth}",
            "give the unit and the lines that it was closed with",
        )
    return ChargebackMonth(question, lines, closings)


def month_table(
    reader: CostReader, month: ChargebackMonth, now: datetime, only: str | None = None
) -> ReportTable:
    """Return the statements of a month, or of one unit. Raises Retryable."""
    question, closing, zone = month.question, month.closing, month.question.zone.key
    some = [one for one in month.statements if only is None or one.unit == only]
    # A month begins and ends elsewhen in another zone, and may be closed there.
    zones = {one.zone for one in reader.closed(question) if one.period == month.name} - {zone}
    elsewhere = f"; it is closed in {', '.join(sorted(zones))}: see --tz" if zones else ""
    named = statement_id(question.tenants[0], month.name, zone, closing.seq) if closing else ""
    state = state_of(closing, question.span.end, now, named) + elsewhere
    return chargeback_table(month.name, zone, question.by, some, state).in_currency(question.currency)


def state_of(closing: Closing | None, end: datetime, now: datetime, statement: str = "") -> str:
    """Say whether a month is closed (as which `statement`), still running, or over and open."""
    if closing is not None:
        named = f" as statement {statement}" if statement else ""
        return f"closed {closing.at:%Y-%m-%d %H:%M} UTC by {closing.by}{named}"
    running = "still running: these are costs so far"
    return running if end > now else "over, and not closed: it may still change"


def chargeback_table(
    month: str, zone: str, by: Sequence[str], found: Sequence[Statement], state: str
) -> ReportTable:
    """Return a month's statements by unit, then by line. Amendments are lines of their own and add up."""
    depth = len(by) - 1
    blank = [None] * (depth + 1)
    total, provider = sum(one.amended for one in found), sum(one.of_provider for one in found)
    unpriced = sum(one.unpriced for one in found)
    rows = []
    for one in found:
        amounts = Spent(one.amended, one.unpriced), Spent(one.of_provider, one.unpriced)
        rows.append(Row((name_of(one.unit), *blank, *amounts, None), 0, leaf=False))
        for line in one.lines:
            amounts = Spent(line.cost, line.unpriced), Spent(line.of_provider, line.unpriced)
            rows.append(
                Row((name_of(line.unit), line.what, *_keys(line, depth), *amounts, line.events or None), 1)
            )
        for item in one.amendments:
            amounts, what = (Spent(item.change), Spent(item.provider_change)), f"amendment ({item.what})"
            rows.append(Row((name_of(item.unit), what, *_keys(item, depth), *amounts, None), 1))
    notes = [f"{month} is {state}"]
    changes = [item.change for one in found for item in one.amendments]
    if changes:
        notes.append(f"{dollars(sum(changes), sign=True)} of amendments since the month was closed")
    if unpriced:
        notes.append(f"{counted(unpriced, 'event')} unpriced: the totals are lower bounds")
    columns = (
        *dimension_columns(by[:1]), Column("line", "line"), *dimension_columns(by[1:]),
        *amount_columns("charged", Sums(total, beside=provider)), EVENTS,
    )  # fmt: skip
    return ReportTable(
        "chargeback", f"Chargeback, {month}, {zone}", columns, tuple(rows),
        Row((None, *blank, Spent(total, unpriced), Spent(provider, unpriced), None)), tuple(notes),
        {"month": month, "tz": zone, "by": list(by), "state": state},
    )  # fmt: skip


def _keys(item: Line | Amendment, depth: int) -> list[str]:
    """Return what a line is about; of a shared cost that is only the name of its split."""
    named = map(name_of, item.keys) if item.what == OWN else item.keys
    return [*named, *[""] * (depth - len(item.keys))]


def file_names(month: str, units: Iterable[str]) -> dict[str, str]:
    """Return the name of each unit's files, without folder and suffix: `2026-11-growth`.

    A unit of a-z, 0-9, `-` and `_` keeps its name. Any other gets those characters of its name and a hash, so that
    `R&D`, `R D` and `R-D` differ, also on case-insensitive disks.
    """
    plain = {unit: bool(_PLAIN.match(unit)) and unit not in _TAKEN for unit in units}
    return {unit: f"{month}-{unit if kept else _hashed(unit)}" for unit, kept in plain.items()}


def _hashed(unit: str) -> str:
    plain = "".join(sign if sign.isalnum() else "-" for sign in unicodedata.normalize("NFC", unit))
    return f"{plain.strip('-')[:_NAME_LENGTH] or 'unassigned'}.{digest([unit])[:12]}"


def index_table(month: str, by: str, found: Sequence[Statement], names: dict[str, str]) -> ReportTable:
    """Return which files each unit has, and what its statement comes to."""
    rows = [
        Row(
            (
                name_of(one.unit),
                Spent(one.amended, one.unpriced),
                *(f"{names[one.unit]}.{end}" for end in ("html", "csv")),
            )
        )
        for one in found
    ]
    columns = (*dimension_columns([by]), AMOUNTS["charged"], Column("page", "page"), Column("csv", "CSV"))
    total = Spent(sum(one.amended for one in found), sum(one.unpriced for one in found))
    return ReportTable("statements", f"Statements, {month}", columns, tuple(rows), Row(("", total, "", "")))
