"""The weekly or daily digest: total, causes of change, forecast, budgets, alerts, savings, data quality.

As a page (HTML, Markdown) and as the lines of a chat message.
"""

# ruff: noqa: S608 (only constants of this file are interpolated; values are bound)

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange, midnight, period_of
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.adapters.forecast_cache import ForecastCache
from outlay_reports.alert_list import MOST, AlertList, alert_statement
from outlay_reports.compare import THING, Comparison, compare, compare_table
from outlay_reports.cost_query import CostQuery, total
from outlay_reports.forecast.summary import budget_table, landing_table, plans_of
from outlay_reports.money import counted, dollars, percent, share
from outlay_reports.periods import previous_range
from outlay_reports.renderers import display_rows, html_page, html_table, render, to_markdown
from outlay_reports.report_table import Column, ReportTable, Row
from outlay_reports.showback import top_table
from outlay_reports.svg_chart import trend_svg
from outlay_reports.trend import trend
from outlay_schemas.catalog import Budget, FxRate
from outlay_schemas.dimensions import name_of

_OF = " AND (empty({tenants:Array(String)}) OR tenant IN {tenants:Array(String)})"
_LISTED = "if(JSONExtractBool(body, 'backfill'), parseDateTimeBestEffort(JSONExtractString(body, 'at'), 'UTC'), window)"
_ABOUT = (
    f"{_LISTED} >= toDateTime({{low:UInt32}}, 'UTC') AND {_LISTED} < toDateTime({{high:UInt32}}, 'UTC'){_OF}"
)
_ALERTS = alert_statement(_ABOUT)
"""Alerts about the period, and those about earlier times that were found in it: no channel was notified of them."""
_MOST = 20
"""Most incidents about the period, and most alerts about earlier times, that a digest lists."""
_DEAD_LETTERS = (
    "SELECT stage, code, count() AS n FROM dead_letters FINAL WHERE at >= toDateTime({low:UInt32}, 'UTC')"
    f" AND at < toDateTime({{high:UInt32}}, 'UTC'){_OF}"
    " GROUP BY stage, code ORDER BY n DESC LIMIT 10"
)
_CENT = 10**10
_OWNED_BY = ("team", "project", "business_unit")


@dataclass(frozen=True)
class DigestSection:
    """A heading with a sentence, a table and a picture; empty ones are left out."""

    heading: str
    text: str = ""
    sheet: ReportTable | None = None
    picture: str = ""


class DigestSources(NamedTuple):
    """The stores and budgets that a digest reads."""

    reader: CostReader
    clickhouse: ClickHouseClient
    budgets: Sequence[Budget]
    rates: Sequence[FxRate] = ()


def build_digest(
    sources: DigestSources, week: CostQuery, now: datetime, savings: ReportTable | None
) -> list[DigestSection]:
    """Return the digest of a week or a day, the total and its change first. `savings`: the newest, if there are any."""
    reader = sources.reader
    by = ("team", "sku")
    later = replace(week, by=by)
    earlier = replace(later, span=previous_range(week.span, week.zone, now, "week"))
    old, new = (reader.cells(replace(query, by=(*by, *THING))) for query in (earlier, later))
    found = compare(old, new, len(by))
    teams = replace(week, by=("team",))
    month = replace(week, span=period_of(now, "month", week.zone))
    outlook = ForecastCache()
    spent, landing = outlook.land(reader, month, now)
    tenants = week.tenants or tuple(reader.tenants())
    sections = [
        DigestSection("Summary", _short(found, period_word(week))),
        DigestSection("Last six weeks", picture=_picture(reader, week)),
        DigestSection("Why", _why(found), _shortened(compare_table(earlier, later, found, new), 8)),
        DigestSection("Top spenders", sheet=top_table(teams, reader.cells(teams), 8)),
        DigestSection("Forecast for the month", sheet=landing_table(month, spent, landing, 1.0, ())),
    ]
    plans = plans_of(sources.budgets, tenants, sources.rates)
    budgets = budget_table(plans, outlook.states(reader, plans, now), week.zone)
    if budgets.rows:
        sections.append(DigestSection("Budgets", sheet=budgets))
    sections.append(_alerts(sources.clickhouse, week))
    if savings is not None:
        sections.append(DigestSection("Possible savings", sheet=_shortened(_best(savings), 5)))
    sections.append(_quality(sources, week))
    return sections


def last_week(now: datetime, question: CostQuery) -> TimeRange:
    """Return the last whole week, Monday to Sunday, of the question's zone."""
    this = period_of(now, "week", question.zone)
    return period_of(this.start - timedelta(hours=1), "week", question.zone)


def yesterday(now: datetime, question: CostQuery) -> TimeRange:
    """Return the last whole day of the question's zone."""
    today = period_of(now, "day", question.zone)
    return period_of(today.start - timedelta(hours=1), "day", question.zone)


def period_word(question: CostQuery) -> str:
    """Return `day` or `week`, by the length of the time range: a day has up to 25 hours."""
    return "day" if question.span.length <= timedelta(hours=26) else "week"


def _short(found: Comparison, word: str) -> str:
    whole = found.all
    before, spent = (dollars(s.cost, lower_bound=bool(s.unpriced)) for s in (whole.earlier, whole.later))
    if not whole.later.events:
        return f"No events in this {word}; the {word} before cost {before}."
    growth = percent(share(whole.change, whole.earlier.cost), sign=True)
    change = f"{dollars(whole.change, sign=True)} ({growth})" if growth else "new"
    events = counted(whole.later.events, "event")
    return f"The {word} cost {spent} for {events}: {change} compared with the {word} before."


def _why(found: Comparison) -> str:
    effects = [(name, effect) for name, effect in found.all.effects.items() if abs(effect) >= _CENT]
    parts = [f"{name} {dollars(effect, sign=True)}" for name, effect in effects]
    changed = [(" / ".join(map(name_of, part.keys)), part.change) for part in found.parts[:3]]
    moved = [f"{name} {dollars(change, sign=True)}" for name, change in changed if change]
    text = f"Causes: {', '.join(parts)}." if parts else "No change."
    return f"{text} Largest changes: {'; '.join(moved)}." if moved else text


_LEAN = ("id", "project", "share", "events", "example")
"""Columns of savings that a digest leaves out."""


def _best(savings: ReportTable) -> ReportTable:
    """Return the largest saving of each kind and owner: smaller ones are other ways to save the same dollars."""
    names = [column.name for column in savings.columns]
    places = [names.index(name) for name in ("kind", "team", "project", "sku") if name in names]
    rows: dict[tuple[object, ...], Row] = {}
    for row in savings.rows:
        rows.setdefault(tuple(row.values[n] for n in places), row)
    columns = tuple(replace(column, wide=column.wide or column.name in _LEAN) for column in savings.columns)
    return replace(savings, columns=columns, rows=tuple(rows.values()))


def _shortened(sheet: ReportTable, most: int) -> ReportTable:
    left = len(sheet.rows) - most
    notes = (*sheet.notes, f"{left} more rows") if left > 0 else sheet.notes
    return replace(sheet, rows=sheet.rows[:most], notes=notes)


def _picture(reader: CostReader, week: CostQuery) -> str:
    start = week.span.start.astimezone(week.zone).date() - timedelta(days=35)
    asked = replace(week, span=TimeRange(midnight(start, week.zone), week.span.end), by=("team",), unit="day")
    return trend_svg("Cost by day and team", asked, trend(asked, reader.cells(asked), week.span.end))


def _bounds(week: CostQuery) -> dict[str, object]:
    low, high = int(week.span.start.timestamp()), int(week.span.end.timestamp())
    return {"low": low, "high": high, "tenants": list(week.tenants)}


def _alerts(clickhouse: ClickHouseClient, week: CostQuery) -> DigestSection:
    found = AlertList.of(clickhouse.rows(_ALERTS, {**_bounds(week), "limit": MOST}))
    notified = [one for one in found.incidents if not one.main.backfill]
    late = [alert for alert, _ in found.alerts if alert.backfill]  # each one: no channel was notified of it
    rows = (
        *(Row((one.main.severity, one.state, one.heading)) for one in notified[:_MOST]),
        *(Row((one.severity, f"backfill: {one.window:%Y-%m-%d}", one.title)) for one in late[:_MOST]),
    )
    columns = (Column("severity", "severity"), Column("state", "state"), Column("title", "alert"))
    if not rows:
        return DigestSection("Alerts", "No alerts.")
    return DigestSection("Alerts", sheet=ReportTable("alerts", "Alerts", columns, rows))


def _quality(sources: DigestSources, week: CostQuery) -> DigestSection:
    rows = []
    whole = total(cell.sums for cell in sources.reader.cells(replace(week, by=())))
    if whole.unpriced:
        models = sources.reader.cells(replace(week, by=("provider", "sku")))
        names = ", ".join(f"{'/'.join(c.keys)} ({c.sums.unpriced:,})" for c in models if c.sums.unpriced)
        rows.append(Row(("unpriced events", f"{whole.unpriced:,}", names[:200])))
    for name in _OWNED_BY:
        cells = sources.reader.cells(replace(week, by=(name,)))
        unassigned = sum(cell.sums.cost for cell in cells if not cell.keys[0])
        if any(not cell.keys[0] for cell in cells):
            part = f"{percent(share(unassigned, whole.cost)) or '0%'} of the cost"
            rows.append(Row((f"without {name.replace('_', ' ')}", dollars(unassigned), part)))
    dead_letters = sources.clickhouse.rows(_DEAD_LETTERS, _bounds(week))
    rows += [Row(("dead letters", f"{one['n']:,}", f"{one['stage']}: {one['code']}")) for one in dead_letters]
    columns = (Column("what", "issue"), Column("amount", "amount"), Column("which", "details"))
    if not rows:
        return DigestSection("Data quality", "All events are priced and assigned; none were rejected.")
    return DigestSection("Data quality", sheet=ReportTable("quality", "Data quality", columns, tuple(rows)))


_TOP = 5
"""Rows of each table in a chat message."""
_SKIPPED = ("id", "make sure", "such as", "of its cost")
"""Columns that a chat message leaves out."""


def title_of(question: CostQuery) -> str:
    """Return the title of the digest of a time range."""
    start = question.span.start.astimezone(question.zone)
    day = period_word(question) == "day"
    return f"AI costs {f'on {start:%A},' if day else 'in the week of'} {start:%Y-%m-%d}"


def markdown(question: CostQuery, sections: Sequence[DigestSection]) -> str:
    """Return the digest as Markdown."""
    parts = [f"# {title_of(question)}\n"]
    for section in sections:
        sheet = section.sheet and to_markdown(section.sheet).split("\n", 2)[2]
        body = [part for part in (section.text, sheet) if part]
        if body:
            parts.append(f"## {section.heading}\n\n" + "\n\n".join(map(str, body)).rstrip() + "\n")
    return "\n".join(parts)


def html(question: CostQuery, sections: Sequence[DigestSection], now: datetime) -> str:
    """Return the digest as an HTML page with its charts."""
    bodies = [
        render("section.html", section=section, table=html_table(section.sheet) if section.sheet else "")
        for section in sections
    ]
    days = "Midnight to midnight" if period_word(question) == "day" else "Monday to Sunday"
    subtitle = f"{days}, {question.zone.key}; costs in USD"
    return html_page(title_of(question), subtitle, bodies, f"Made by Outlay, {now:%Y-%m-%d %H:%M} UTC")


def points(sections: Sequence[DigestSection]) -> list[tuple[str, list[str]]]:
    """Return each heading after the headline with a few lines."""
    found = []
    for section in sections[1:]:
        lines = [section.text] if section.text else []
        if section.sheet is not None and not (section.heading == "Why" and section.text):
            lines += _lines(section.sheet)
        if lines:
            found.append((section.heading, lines))
    return found


def _lines(sheet: ReportTable) -> list[str]:
    head, body = display_rows(sheet)
    rows = [cells for row, cells in body if row is not sheet.total]
    lines = []
    for cells in rows[:_TOP]:
        pairs = ((title, cell.strip()) for (title, _), cell in zip(head, cells, strict=True))
        shown = [(title, cell) for title, cell in pairs if cell and title not in _SKIPPED]
        named = " · ".join(
            f"{title} {cell}" for title, cell in shown[1:]
        )  # a chat line has no column headings
        first = shown[0][1] if shown else ""
        lines.append(f"{first}: {named}" if named else first)
    return [*lines, *([f"and {len(rows) - _TOP} more"] if len(rows) > _TOP else [])]
