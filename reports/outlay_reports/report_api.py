"""The reports of the command line and the read API: options in, a table out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.compare import THING, compare, compare_table
from outlay_reports.cost_query import CostQuery, parse_amount, parse_conditions, parse_dimensions
from outlay_reports.money import dollars
from outlay_reports.periods import Unit, before_named, parse_time_range, parse_zone, previous_range
from outlay_reports.report_table import ReportTable
from outlay_reports.showback import UnitEconomics, showback_table, top_table
from outlay_reports.trend import trend, trend_table
from outlay_schemas.currency import USD, Currency

_MONTHS = 3
"""Closed months with a note each."""


def parse_query(
    now: datetime,
    *,
    by: str | None = None,
    start: str | None = None,
    end: str | None = None,
    tz: str = "UTC",
    where: Sequence[str] = (),
    tenants: Sequence[str] = (),
    unit: Unit | None = None,
    amount: str = "cost",
    currency: Currency = USD,
) -> CostQuery:
    """Read a query from text: dimensions, times, a zone, conditions. Raises QueryError."""
    zone = parse_zone(tz)
    span, dimensions = parse_time_range(start, end, zone, now), parse_dimensions(by)
    conditions, of = parse_conditions(where), parse_amount(amount)
    return CostQuery(
        span,
        zone,
        dimensions,
        conditions,
        tuple(tenants),
        unit,
        amount=of,
        currency=currency,
        before=before_named(start, span, zone, now) if end in (None, "now") else None,
    )


def showback(reader: CostReader, question: CostQuery, *, units: bool = False) -> ReportTable:
    """Return cost by dimension; `units` adds $ per event, user and 1,000 tokens. Raises Retryable."""
    cells = reader.cells(question)
    found = None
    if units:
        users = [reader.users(replace(question, by=question.by[:n])) for n in range(len(question.by) + 1)]
        found = UnitEconomics(users, reader.cache_savings(question))
    return note_closed_periods(reader, question, showback_table(question, cells, found))


def top(reader: CostReader, question: CostQuery, limit: int) -> ReportTable:
    """Return the most expensive values. Raises Retryable."""
    return note_closed_periods(reader, question, top_table(question, reader.cells(question), limit))


def trends(reader: CostReader, question: CostQuery, now: datetime) -> ReportTable:
    """Return cost over time. Raises Retryable."""
    cells = reader.cells(question)
    return note_closed_periods(reader, question, trend_table(question, trend(question, cells, now), cells))


def note_closed_periods(reader: CostReader, question: CostQuery, report: ReportTable) -> ReportTable:
    """Add a note for each closed month: the report shows the ledger, not the statements. Raises Retryable."""
    notes = []
    for one in reader.closed(question):
        whole = question.span.start <= one.span.start and one.span.end <= question.span.end
        notes.append(
            f"{one.period} {one.zone}{'' if whole else ' (here in part)'} was closed on {one.at:%Y-%m-%d %H:%M} UTC"
            f" with {dollars(one.stated)} ({one.tenant}); this report shows the ledger as it is now. Differences:"
            f" outlay report chargeback --month {one.period} --tz {one.zone}"
        )
    left = len(notes) - _MONTHS
    if left > 0:
        notes = [*notes[-_MONTHS:], f"{left} more months in this range are closed"]
    return replace(report, notes=(*report.notes, *notes))


def comparison(reader: CostReader, later: CostQuery, against: str | None, now: datetime) -> ReportTable:
    """Return why a period cost more than `against` (FROM..TO) or the one before. Raises QueryError, Retryable."""
    if against is None:
        span = later.before or previous_range(later.span, later.zone, now)
    else:
        first, _, last = against.partition("..")
        span = parse_time_range(first or None, last or None, later.zone, now)
    earlier = replace(later, span=span)
    old, new = (reader.cells(replace(query, by=(*later.by, *THING))) for query in (earlier, later))
    return compare_table(earlier, later, compare(old, new, len(later.by)), new)
