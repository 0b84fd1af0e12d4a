"""A month's statements as they are asked for, by the command line and by the read API: so both say the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from outlay_kit.time_ranges import period_of
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.allocation import Allocation, allocate, dimensions_of
from outlay_reports.chargeback import OWN, Closing, Line, Statement, lines_of, statement_id, statements
from outlay_reports.cost_query import CostQuery, parse_dimensions
from outlay_reports.errors import QueryError
from outlay_reports.periods import parse_time_range, parse_zone
from outlay_reports.report_table import ReportTable
from outlay_reports.statement_tables import chargeback_table, state_of
from outlay_schemas.catalog import Split


@dataclass(frozen=True)
class ChargebackOptions:
    """What is asked of a month: which (2026-11; none: this one), who pays, what a line is, where months begin."""

    month: str | None = None
    unit: str = "business_unit"
    lines: str = "team,provider,model"
    tz: str = "UTC"


@dataclass(frozen=True)
class ChargebackMonth:
    """A month of one tenant: its lines as they stand, and every closing, the first first."""

    question: CostQuery
    lines: tuple[Line, ...]
    closings: tuple[Closing, ...]

    @property
    def name(self) -> str:
        """As 2026-11."""
        return f"{self.question.span.start.astimezone(self.question.zone):%Y-%m}"

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Return a statement for each unit: as closed with its amendments, else as it stands."""
        return statements(self.lines, self.closings[-1] if self.closings else None)


def allocate_query(reader: CostReader, question: CostQuery, splits: Sequence[Split]) -> Allocation:
    """Read a question's costs and share those that the splits are about. Raises Retryable."""
    more = tuple(name for name in dimensions_of(splits) if name not in question.by)
    deep = replace(question, by=(*question.by, *more))
    return allocate(reader.cells(deep), deep.by, len(question.by), splits)


def parse_chargeback_query(bill: ChargebackOptions, tenant: str, now: datetime) -> CostQuery:
    """Return the question that a bill asks. Raises QueryError."""
    zone = parse_zone(bill.tz)
    if bill.month is None:
        span = period_of(now, "month", zone)
    elif len(bill.month) == 7:
        span = parse_time_range(bill.month, bill.month, zone, now)
    else:
        raise QueryError(f"{bill.month!r} is not a month", "give it as 2026-11")
    return CostQuery(
        span, zone, parse_dimensions(f"{bill.unit},{bill.lines}"), {}, (tenant,), amount="charged"
    )


def read_month(reader: CostReader, question: CostQuery, splits: Sequence[Split]) -> ChargebackMonth:
    """Read a month. Raises QueryError if it was closed with other lines, and Retryable."""
    lines = lines_of(allocate_query(reader, question, splits))
    name = f"{question.span.start.astimezone(question.zone):%Y-%m}"
    closings = tuple(reader.closings(question.tenants[0], name, question.zone.key))
    kept = {len(line.keys) for line in closings[-1].lines if line.what == OWN} if closings else set()
    if kept and kept != {len(question.by) - 1}:
        raise QueryError(
            f"the month was closed with lines of {kept.pop()} dimensions, and these have {len(question.by) - 1}",
            "give the unit and the lines that it was closed with",
        )
    return ChargebackMonth(question, lines, closings)


def month_table(
    reader: CostReader, month: ChargebackMonth, now: datetime, only: str | None = None
) -> ReportTable:
    """Return the statements of a month, or of one unit. Raises Retryable."""
    question = month.question
    closing = month.closings[-1] if month.closings else None
    some = [one for one in month.statements if only is None or one.unit == only]
    # A month begins and ends elsewhen in another zone, and may be closed there.
    zones = {one.zone for one in reader.closed(question) if one.period == month.name} - {question.zone.key}
    elsewhere = f"; it is closed in {', '.join(sorted(zones))}: see --tz" if zones else ""
    zone = question.zone.key
    named = "" if closing is None else statement_id(question.tenants[0], month.name, zone, closing.seq)
    state = state_of(closing, question.span.end, now, named) + elsewhere
    return chargeback_table(month.name, question.zone.key, question.by, some, state)
