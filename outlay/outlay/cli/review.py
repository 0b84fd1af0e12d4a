"""The command that writes the week on a page."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import CommandError, err, friendly_errors, working
from outlay.cli.pricing_options import read_published
from outlay.cli.report_options import Tenant, Tz, Where, reading

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_reports.cost_query import CostQuery
    from outlay_reports.digest import DigestSection
    from outlay_reports.report_table import ReportTable


class Format(StrEnum):
    """What a review is written as."""

    markdown = "markdown"
    html = "html"


@friendly_errors
def review(
    day: Annotated[
        str | None,
        typer.Argument(metavar="YYYY-MM-DD", help="A day of the week. Default: the last whole week."),
    ] = None,
    _week: Annotated[
        bool, typer.Option("--week", help="Of a week, which is all there is; may be left out.")
    ] = True,
    tz: Tz = "UTC",
    where: Where = None,
    tenant: Tenant = None,
    savings: Annotated[
        bool, typer.Option(help="Look for what could be saved; prices the week's events again.")
    ] = True,
    form: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = Format.markdown,
    file: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    send: Annotated[
        str, typer.Option(metavar="CHANNEL", help="Send it to a channel of the catalog, now.")
    ] = "",
) -> None:
    """Write the week on a page that a team reads in five minutes: Markdown, or HTML with plots.

    Totals and why they changed, who spent it, where the month lands, budgets, alerts, what could be saved, and what
    is not priced or nobody's.

    Examples:

      outlay review --week

      outlay review --week 2026-11-16 --tz Europe/Berlin -o week.html

      outlay review --send finance
    """
    from dataclasses import replace

    from outlay.local import stores
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_kit.clock import SystemClock
    from outlay_kit.time_ranges import period_of
    from outlay_reports import digest_pages
    from outlay_reports.cost_query import CostQuery, parse_conditions
    from outlay_reports.digest import DigestSources, build_digest, last_week
    from outlay_reports.periods import parse_time_range, parse_zone

    now = SystemClock().now()
    with reading() as books:
        zone = parse_zone(tz)
        span = period_of(now, "week", zone)
        question = CostQuery(span, zone, (), parse_conditions(where or []), tuple(tenant or ()))
        if day is None:
            span = last_week(now, question)
        else:
            if len(day) != 10:
                raise CommandError(f"{day!r} is no day", "give a day of the week, such as 2026-11-16")
            span = period_of(parse_time_range(day, day, zone, now).start, "week", zone)
        question = replace(question, span=span)
        catalog = read_published()
        clickhouse = ClickHouseClient(stores()[1])
        try:
            with working("reading the week"):
                found = _savings(clickhouse, question) if savings else None
                sections = build_digest(
                    DigestSources(books, clickhouse, catalog.budgets), question, now, found
                )
        finally:
            clickhouse.close()
    html = form is Format.html or (file is not None and file.suffix in (".html", ".htm"))
    text = digest_pages.html(question, sections, now) if html else digest_pages.markdown(question, sections)
    if send:
        _send(send, question, sections, now)
        return
    if file is None:
        typer.echo(text, nl=False)
        return
    file.write_text(text, "utf-8")
    err.print(f"written: {file}", style="dim", markup=False)


def _savings(clickhouse: "ClickHouseClient", question: "CostQuery") -> "ReportTable":
    from outlay.cli.opportunities import savings_table
    from outlay.dismissals import Dismissals
    from outlay_pricer.ledger import Selection
    from outlay_pricer.opportunities.search import find

    tenant = question.tenants[0] if len(question.tenants) == 1 else ""
    catalog = read_published()
    wanted = Selection(since=question.span.start, until=question.span.end, tenant=tenant)
    found = find(clickhouse, catalog, wanted, most=200_000)
    return savings_table(found, 200, 1.0, Dismissals(clickhouse).reasons())


def _send(name: str, question: "CostQuery", sections: "Sequence[DigestSection]", now: "datetime") -> None:
    from outlay.cli.channels import all_channels
    from outlay_alerter.digests.scheduler import review_of
    from outlay_alerter.notify.notification import Notification, OutboxMessage
    from outlay_kit.clock import SystemClock
    from outlay_schemas.events import encoder

    channel = next((one for one in all_channels(None, SystemClock()) if one.name == name), None)
    if channel is None:
        raise CommandError(f"there is no channel {name}", "see channels.yaml of the catalog")
    made = review_of(f"rev_by_hand_{now:%Y%m%d%H%M%S}", question, sections, now=now, of="by-hand")
    body = encoder.encode(made).decode()
    waiting = OutboxMessage("", made.id, name, body, 0, 0, "", f"{now:%Y-%m-%d %H:%M:%S.%f}")
    with working(f"sending to {name}"):
        answer = channel.send(Notification(made.id, (waiting,), (), made))
    if answer.outcome != "sent":
        raise CommandError(f"{name} did not take it: {answer.reason}", "try: outlay alerts test " + name)
    err.print(f"sent to {name}", style="dim", markup=False)
