"""A page of HTML that stands by itself: no script, nothing fetched, made to be printed or mailed."""

from collections.abc import Sequence
from html import escape

from outlay_reports.renderers import display_rows
from outlay_reports.report_table import ReportTable, Row

_STYLE = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2430; margin: 2.5rem auto; max-width: 60rem; padding: 0 1rem }
h1 { font-size: 1.6rem; margin: 0 }
h2 { font-size: 1.15rem; margin: 2rem 0 .4rem } p.sub { color: #5b6673; margin: .2rem 0 0 }
table { border-collapse: collapse; width: 100%; margin-top: .6rem; font-variant-numeric: tabular-nums }
th { text-align: left; font-weight: 600; color: #5b6673; border-bottom: 2px solid #c9d1da; padding: .3rem .6rem }
td { border-bottom: 1px solid #e6eaef; padding: .3rem .6rem; vertical-align: top }
th.n, td.n { text-align: right; white-space: nowrap } tr.group td { font-weight: 600; background: #f5f7fa }
tr.total td { font-weight: 700; border-top: 2px solid #1c2430; border-bottom: 0 }
ul.notes { color: #7a5200; padding-left: 1.2rem } section { break-inside: avoid-page } figure { margin: 1rem 0 }
svg { max-width: 100%; height: auto } footer { color: #8a94a0; font-size: .85rem; margin-top: 2.5rem }
@media print { body { margin: 0; max-width: none } }
"""


def html_page(title: str, subtitle: str, sections: Sequence[str], made: str) -> str:
    """Return a page: its title, sections of HTML, and a line that says when it was made."""
    body = "\n".join(f"<section>{section}</section>" for section in sections)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n<body>\n'
        f'<h1>{escape(title)}</h1><p class="sub">{escape(subtitle)}</p>\n{body}\n'
        f"<footer>{escape(made)}</footer>\n</body></html>\n"
    )


def html_table(sheet: ReportTable, heading: str = "") -> str:
    """Return a sheet as a heading, a table and its notes."""
    head, body = display_rows(sheet)
    parts = [f"<h2>{escape(heading)}</h2>"] if heading else []
    cells = "".join(f"<th{_class('n', right)}>{escape(title)}</th>" for title, right in head)
    parts.append(f"<table><thead><tr>{cells}</tr></thead><tbody>")
    deepest = max((row.depth for row, _ in body), default=0)
    for row, texts in body:
        kind = "total" if row is sheet.total else "group" if not row.leaf and row.depth < deepest else ""
        parts.append(f"<tr{_class(kind, bool(kind))}>{_cells(row, texts, head, tree=bool(sheet.tree))}</tr>")
    parts.append("</tbody></table>")
    if sheet.notes:
        parts.append(
            "<ul class=notes>" + "".join(f"<li>{escape(note)}</li>" for note in sheet.notes) + "</ul>"
        )
    return "\n".join(parts)


def _cells(row: Row, texts: Sequence[str], head: Sequence[tuple[str, bool]], *, tree: bool) -> str:
    found = []
    for n, (text, (_, right)) in enumerate(zip(texts, head, strict=True)):
        indent = (
            f' style="padding-left:{0.6 + 1.2 * row.depth:.1f}rem"'
            if tree and n == 0 and row.depth > 0
            else ""
        )
        found.append(f"<td{_class('n', right)}{indent}>{escape(text.strip())}</td>")
    return "".join(found)


def _class(name: str, on: bool) -> str:
    return f' class="{name}"' if on else ""
