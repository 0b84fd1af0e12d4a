"""A report in each format: CSV, JSON, Markdown and HTML. All show the same exact values."""

import csv
import io
import json
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from outlay_reports.money import dollars
from outlay_reports.report_table import ReportTable, Row, machine, one_line, shown

FORMULA_STARTS = "=+@\t\r\n\uff1d\uff0b\uff0d\uff20-"
"""A spreadsheet takes a cell that begins with one of these for a formula; the wide forms in some languages only."""
_NUMERIC = ("usd", "change", "share", "growth", "count", "rate")
_templates = Environment(
    loader=PackageLoader("outlay_reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_templates.filters["dollars"] = dollars


def to_csv(sheet: ReportTable) -> str:
    """Return the rows that add up to the total, one a line, exact; no subtotals, so that a sum counts once."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.name for column in sheet.columns)
    for row in sheet.rows:
        if row.leaf:
            pairs = zip(row.values, sheet.columns, strict=True)
            writer.writerow([_cell(machine(value, column)) for value, column in pairs])
    return text.getvalue()


def _cell(value: str | int | None) -> str | int:
    """Keep a spreadsheet from taking a name, or what follows a carriage return in it, for a formula."""
    if isinstance(value, str):
        value = value.replace("\r", "\n")  # which is quoted
    if isinstance(value, str) and value and value[0] in FORMULA_STARTS:
        number = value.lstrip("+-").replace(".", "", 1).isdigit()
        return value if number else f"'{value}"
    return "" if value is None else value


def to_json(sheet: ReportTable) -> str:
    """Return one object: what the report is, its total, its rows, and subtotals apart from them."""

    def named(row: Row) -> dict[str, object]:
        pairs = zip(sheet.columns, row.values, strict=True)
        return {column.name: machine(value, column) for column, value in pairs if value is not None}

    value = {"report": sheet.name, **sheet.facts, "rows": [named(row) for row in sheet.rows if row.leaf]}
    if subtotals := [named(row) for row in sheet.rows if not row.leaf]:
        value["subtotals"] = subtotals
    if sheet.total is not None:
        value["total"] = named(sheet.total)
    return json.dumps({**value, "notes": list(sheet.notes)}, ensure_ascii=False) + "\n"


def display_rows(sheet: ReportTable) -> tuple[list[tuple[str, bool]], list[tuple[Row, list[str]]]]:
    """Return what people see: (title, right-aligned) of each column, and each row's cells; the total is last."""
    tree = sheet.tree
    kept = [n for n, column in enumerate(sheet.columns) if n >= tree and not column.wide]
    columns = [sheet.columns[n] for n in kept]
    head = [(" / ".join(column.title for column in sheet.columns[:tree]), False)] if tree else []
    head += [(column.title, column.kind in _NUMERIC) for column in columns]
    body = []
    for row in (*sheet.rows, *([sheet.total] if sheet.total else [])):
        cells = [
            shown(row.values[n], column, sheet.currency) for n, column in zip(kept, columns, strict=True)
        ]
        if tree:
            name = "total" if row is sheet.total else str(row.values[row.depth])
            cells.insert(0, "  " * max(row.depth, 0) + name)
        elif row is sheet.total:
            cells[0] = "total"
        elif row.depth > 0:
            cells[0] = ""  # the row above it says whose it is
        body.append((row, [one_line(cell) for cell in cells]))
    none = dollars(0, currency=sheet.currency)
    # A column of zeros or blanks on the whole page says nothing.
    full = [n for n in range(len(head)) if any(cells[n] not in ("", "0", none) for _, cells in body)]
    full = full or list(range(len(head)))
    titles = [(one_line(title), right) for title, right in head]
    return [titles[n] for n in full], [(row, [cells[n] for n in full]) for row, cells in body]


def to_markdown(sheet: ReportTable) -> str:
    """Return a Markdown table with its title and notes."""
    head, body = display_rows(sheet)
    lines = [f"### {sheet.title}", ""]
    if not sheet.rows:
        return "\n".join([*lines, sheet.empty, "", *(f"- {note}" for note in sheet.notes)]).rstrip() + "\n"
    lines.append("| " + " | ".join(title for title, _ in head) + " |")
    lines.append("|" + "|".join("---:" if right else "---" for _, right in head) + "|")
    for row, cells in body:
        safe = [cell.replace("|", "\\|").replace("  ", "&emsp;") for cell in cells]
        strong = row is sheet.total
        lines.append("| " + " | ".join(f"**{cell}**" if strong and cell else cell for cell in safe) + " |")
    lines += ["", *(f"- {note}" for note in sheet.notes)]
    return "\n".join(lines).rstrip() + "\n"


def render(template: str, **values: object) -> Markup:
    """Render a template of this package; values that are not Markup are escaped."""
    return Markup(_templates.get_template(template).render(values))  # noqa: S704 (the environment escapes)


def html_page(title: str, subtitle: str, sections: Sequence[Markup], made: str) -> str:
    """Return a page, ready to print or mail: no script, nothing fetched. `made` says when it was made."""
    return render("page.html", title=title, subtitle=subtitle, sections=sections, made=made)


def html_table(report: ReportTable) -> Markup:
    """Return a report as a table and its notes."""
    head, body = display_rows(report)
    deepest = max((row.depth for row, _ in body), default=0)
    rows = []
    for row, cells in body:
        group = not row.leaf and row.depth < deepest
        rows.append((row, "total" if row is report.total else "group" if group else "", cells))
    return render("table.html", head=head, rows=rows, report=report)
