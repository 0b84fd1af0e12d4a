"""A sheet in each format. All show the same exact values."""

import csv
import io
import json
from collections.abc import Iterator, Sequence

from outlay_reports.report_table import Column, ReportTable, Row, machine, one_line, shown

_NUMERIC = ("usd", "change", "share", "growth", "count", "rate")


def to_csv(sheet: ReportTable) -> str:
    """Return the rows that add up to the total, one a line, exact; no subtotals, so that a sum counts once."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.name for column in sheet.columns)
    for row in sheet.rows:
        if row.leaf:
            writer.writerow(
                [
                    _cell(machine(value, column))
                    for value, column in zip(row.values, sheet.columns, strict=True)
                ]
            )
    return text.getvalue()


def _cell(value: str | int | None) -> str | int:
    """Keep a spreadsheet from taking a name for a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "@", "\t", "\r", "-") and not _is_number(value):
        return f"'{value}"
    return "" if value is None else value


def _is_number(text: str) -> bool:
    return text.lstrip("+-").replace(".", "", 1).isdigit()


def to_json(sheet: ReportTable) -> str:
    """Return one object: what the report is, its total, its rows, and subtotals apart from them."""
    rows = [_object(sheet.columns, row) for row in sheet.rows if row.leaf]
    subtotals = [_object(sheet.columns, row) for row in sheet.rows if not row.leaf]
    value = {"report": sheet.name, **sheet.facts, "rows": rows}
    if subtotals:
        value["subtotals"] = subtotals
    if sheet.total is not None:
        value["total"] = _object(sheet.columns, sheet.total)
    return json.dumps({**value, "notes": list(sheet.notes)}, ensure_ascii=False) + "\n"


def _object(columns: Sequence[Column], row: Row) -> dict[str, object]:
    pairs = zip(columns, row.values, strict=True)
    return {column.name: machine(value, column) for column, value in pairs if value is not None}


def display_rows(sheet: ReportTable) -> tuple[list[tuple[str, bool]], list[tuple[Row, list[str]]]]:
    """Return what people see: (title, right-aligned) of each column, and each row's cells; the total is last."""
    tree = sheet.tree
    kept = [n for n, column in enumerate(sheet.columns) if n >= tree and not column.wide]
    columns = [sheet.columns[n] for n in kept]
    head = [(" / ".join(column.title for column in sheet.columns[:tree]), False)] if tree else []
    head += [(column.title, column.kind in _NUMERIC) for column in columns]
    body = []
    for row in _all(sheet):
        cells = [shown(row.values[n], column) for n, column in zip(kept, columns, strict=True)]
        if tree:
            name = "total" if row is sheet.total else str(row.values[row.depth])
            cells.insert(0, "  " * max(row.depth, 0) + name)
        elif row is sheet.total:
            cells[0] = "total"
        elif row.depth > 0:
            cells[0] = ""  # the row above it says whose it is
        body.append((row, [one_line(cell) for cell in cells]))
    return _without_empty(sheet, [(one_line(title), right) for title, right in head], body)


def _all(sheet: ReportTable) -> Iterator[Row]:
    yield from sheet.rows
    if sheet.total is not None:
        yield sheet.total


def _without_empty(
    sheet: ReportTable, head: list[tuple[str, bool]], body: list[tuple[Row, list[str]]]
) -> tuple[list[tuple[str, bool]], list[tuple[Row, list[str]]]]:
    """Leave out what says nothing on the whole page: a column of zeros or blanks."""
    kept = [n for n in range(len(head)) if any(cells[n] not in ("", "0", "$0.00") for _, cells in body)]
    kept = kept or list(range(len(head)))
    return [head[n] for n in kept], [(row, [cells[n] for n in kept]) for row, cells in body]


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
