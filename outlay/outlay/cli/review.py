"""The command that writes the week on a page."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.asking import Tenant, Tz, Where, reading
from outlay.cli.choices import read_published
from outlay.cli.common import CommandError, err, told, working

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from outlay_kit.warehouse import Warehouse
    from outlay_reports.question import Question
    from outlay_reports.review import Section
    from outlay_reports.sheet import Sheet


class Format(StrEnum):
    """What a review is written as."""

    markdown = "markdown"
    html = "html"


@told
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
) -> None:
    """Write the week on a page that a team reads in five minutes: Markdown, or HTML with plots.

    Totals and why they changed, who spent it, where the month lands, budgets, alerts, what could be saved, and what
    is not priced or nobody's.

    Examples:

      outlay review --week

      outlay review --week 2026-11-16 --tz Europe/Berlin -o week.html
    """
    from dataclasses import replace

    from outlay.local import stores
    from outlay_kit.clock import SystemClock
    from outlay_kit.spans import period_of
    from outlay_kit.warehouse import Warehouse
    from outlay_reports.periods import read_span, zone_of
    from outlay_reports.question import Question, conditions
    from outlay_reports.review import Sources, last_week
    from outlay_reports.review import review as review_of

    now = SystemClock().now()
    with reading() as books:
        zone = zone_of(tz)
        span = period_of(now, "week", zone)
        question = Question(span, zone, (), conditions(where or []), tuple(tenant or ()))
        if day is None:
            span = last_week(now, question)
        else:
            if len(day) != 10:
                raise CommandError(f"{day!r} is no day", "give a day of the week, such as 2026-11-16")
            span = period_of(read_span(day, day, zone, now).start, "week", zone)
        question = replace(question, span=span)
        catalog = read_published()
        warehouse = Warehouse(stores()[1])
        try:
            with working("reading the week"):
                found = _savings(warehouse, question) if savings else None
                sections = review_of(Sources(books, warehouse, catalog.budgets), question, now, found)
        finally:
            warehouse.close()
    html = form is Format.html or (file is not None and file.suffix in (".html", ".htm"))
    text = _html(question, sections, now) if html else _markdown(question, sections)
    if file is None:
        typer.echo(text, nl=False)
        return
    file.write_text(text, "utf-8")
    err.print(f"written: {file}", style="dim", markup=False)


def _savings(warehouse: "Warehouse", question: "Question") -> "Sheet":
    from outlay.cli.opportunities import savings_sheet
    from outlay.dismissals import Dismissals
    from outlay_pricer.ledger import Selection
    from outlay_pricer.opportunities.run import find

    tenant = question.tenants[0] if len(question.tenants) == 1 else ""
    catalog = read_published()
    wanted = Selection(since=question.span.start, until=question.span.end, tenant=tenant)
    found = find(warehouse, catalog, wanted, most=200_000)
    return savings_sheet(found, 200, 1.0, Dismissals(warehouse).reasons())


def _title(question: "Question") -> str:
    start = question.span.start.astimezone(question.zone)
    return f"AI costs in the week of {start:%Y-%m-%d}"


def _markdown(question: "Question", sections: "Sequence[Section]") -> str:
    from outlay_reports.write import to_markdown

    parts = [f"# {_title(question)}\n"]
    for section in sections:
        body = [
            part
            for part in (section.text, section.sheet and to_markdown(section.sheet).split("\n", 2)[2])
            if part
        ]
        if body:
            parts.append(f"## {section.heading}\n\n" + "\n\n".join(map(str, body)).rstrip() + "\n")
    return "\n".join(parts)


def _html(question: "Question", sections: "Sequence[Section]", now: "datetime") -> str:
    from html import escape

    from outlay_reports.html import page, table

    bodies = []
    for section in sections:
        text = f"<p>{escape(section.text)}</p>" if section.text else ""
        picture = f"<figure>{section.picture}</figure>" if section.picture else ""
        sheet = table(section.sheet) if section.sheet is not None else ""
        bodies.append(f"<h2>{escape(section.heading)}</h2>{text}{picture}{sheet}")
    subtitle = f"Monday to Sunday, {question.zone.key}; costs in USD"
    return page(_title(question), subtitle, bodies, f"Made by Outlay, {now:%Y-%m-%d %H:%M} UTC")
