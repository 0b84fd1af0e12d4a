"""A digest as a page (HTML, Markdown) and as the lines of a chat message."""

from collections.abc import Sequence
from datetime import datetime

from outlay_reports.cost_query import CostQuery
from outlay_reports.digest import DigestSection, period_word
from outlay_reports.html import html_page, html_table, render
from outlay_reports.renderers import display_rows, to_markdown

_TOP = 5
"""Rows of each table in a chat message."""
_SKIPPED = ("id", "make sure", "such as", "of its cost")
"""Columns that a chat message leaves out."""


def title_of(question: CostQuery) -> str:
    """Return the title of the digest of a time range."""
    start = question.span.start.astimezone(question.zone)
    when = (
        f"on {start:%A}, {start:%Y-%m-%d}"
        if period_word(question) == "day"
        else f"in the week of {start:%Y-%m-%d}"
    )
    return f"AI costs {when}"


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


def headline(sections: Sequence[DigestSection]) -> str:
    """Return the total and its change."""
    return sections[0].text


def points(sections: Sequence[DigestSection]) -> list[tuple[str, list[str]]]:
    """Return each heading after the headline with a few lines."""
    found = []
    for section in sections[1:]:
        lines = [section.text] if section.text else []
        if section.sheet is not None and not (section.heading == "Why" and section.text):
            lines += _lines(section)
        if lines:
            found.append((section.heading, lines))
    return found


def _lines(section: DigestSection) -> list[str]:
    if section.sheet is None:
        return []
    head, body = display_rows(section.sheet)
    kept = [n for n, (title, _) in enumerate(head) if title not in _SKIPPED]
    rows = [(row, cells) for row, cells in body if row is not section.sheet.total]
    lines = []
    for _, cells in rows[:_TOP]:
        shown = [(head[n][0], cells[n].strip()) for n in kept if cells[n].strip()]
        named = [f"{title} {cell}" for title, cell in shown[1:]]  # a chat line has no column headings
        lines.append(
            ": ".join([shown[0][1], " · ".join(named)]) if named else "".join(cell for _, cell in shown)
        )
    return [*lines, *([f"and {len(rows) - _TOP} more"] if len(rows) > _TOP else [])]
