"""The command that reviews a week on one page."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from outlay.cli.alerts import find_channel
from outlay.cli.opportunities import analysis_of
from outlay.cli.options import format_for, write_file
from outlay.cli.output import CommandError, note, working
from outlay.cli.report_query import Costs, Scope, cost_query
from outlay.cli.stores import open_clickhouse, read_published
from outlay_alerter.digests import review_of
from outlay_alerter.notify.notification import Notification, OutboxMessage
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.time_ranges import period_of
from outlay_pricer.ledger import Selection
from outlay_pricer.opportunities.search import find
from outlay_reports import digest
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.adapters.savings import decisions
from outlay_reports.cost_query import CostQuery
from outlay_reports.digest import DigestSection, DigestSources, build_digest, last_week
from outlay_reports.periods import parse_time_range
from outlay_reports.report_table import ReportTable
from outlay_reports.savings import savings_table
from outlay_schemas.catalog import Catalog
from outlay_schemas.events import encoder

_MOST_EVENTS = 200_000  # events of the week that are priced again for savings


def review(
    *,
    day: Annotated[
        str | None, Argument(metavar="YYYY-MM-DD", help="Default: the last complete week.")
    ] = None,
    _week: Annotated[
        bool, Option("--week", help="Review a week. It is the only period, so you can leave this out.")
    ] = True,
    scope: Scope,
    savings: Annotated[bool, Option("--savings/--no-savings", help="Also look for savings.")] = True,
    form: Annotated[
        Literal["markdown", "html"] | None,
        Option("--format", "-f", help="Default: by the ending of --output."),
    ] = None,
    file: Annotated[
        Path | None, Option("--output", "-o", metavar="FILE", help="Write to a .md or .html file.")
    ] = None,
    send: Annotated[str, Option(metavar="CHANNEL", help="Send it to this channel now.")] = "",
) -> None:
    """Summarize a week on one page, as Markdown or as HTML with charts: five minutes to read.

    Totals and why they changed, top spenders, the forecast for the month, budgets, alerts, possible savings, and usage
    that is unpriced or unassigned.

    Examples:

        outlay review --week
        outlay review --week 2026-11-16 --tz Europe/Berlin -o week.html
        outlay review --send finance
    """
    written = format_for(("markdown", "html"), form, file, "markdown")
    now = SystemClock().now()
    with open_clickhouse() as clickhouse:
        costs = CostReader(clickhouse)
        query = cost_query(costs, Costs(scope=scope))
        if day is None:
            span = last_week(now, query)
        elif len(day) == 10:
            span = period_of(parse_time_range(day, day, query.zone, now).start, "week", query.zone)
        else:
            raise CommandError(f'"{day}" is not a valid day', "give a day of the week, such as 2026-11-16")
        query = replace(query, span=span)
        catalog = read_published()
        with working("reading the week"):
            found = _savings(clickhouse, catalog, query) if savings else None
            sections = build_digest(
                DigestSources(costs, clickhouse, catalog.budgets, catalog.fx), query, now, found
            )
    if send:
        _send(send, query, sections, now)
    elif written == "html":
        write_file(file, digest.html(query, sections, now))
    else:
        write_file(file, digest.markdown(query, sections))


def _savings(clickhouse: ClickHouseClient, catalog: Catalog, query: CostQuery) -> ReportTable:
    tenant = query.tenants[0] if len(query.tenants) == 1 else ""
    wanted = Selection(since=query.span.start, until=query.span.end, tenant=tenant)
    found = find(clickhouse, catalog, wanted, most=_MOST_EVENTS)
    return savings_table(analysis_of(found, decisions(clickhouse)), 200, 1.0)


def _send(name: str, query: CostQuery, sections: Sequence[DigestSection], now: datetime) -> None:
    channel = find_channel(name)
    made = review_of(f"rev_by_hand_{now:%Y%m%d%H%M%S}", query, sections, now=now, of="by-hand")
    body = encoder.encode(made).decode()
    waiting = OutboxMessage("", made.id, name, body, 0, 0, "", f"{now:%Y-%m-%d %H:%M:%S.%f}")
    with working(f"sending to {name}"):
        answer = channel.send(Notification(made.id, (waiting,), (), made))
    if answer.outcome != "sent":
        raise CommandError(f"sending to {name} failed: {answer.reason}", "try: outlay alerts test " + name)
    note(f"sent to {name}", "dim")
