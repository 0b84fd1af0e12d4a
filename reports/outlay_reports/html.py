"""Self-contained HTML pages of reports: no script, nothing fetched, ready to print or mail."""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from outlay_reports.renderers import display_rows
from outlay_reports.report_table import ReportTable

_templates = Environment(
    loader=PackageLoader("outlay_reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def render(template: str, **values: object) -> Markup:
    """Render a template of this package; values that are not Markup are escaped."""
    return Markup(_templates.get_template(template).render(values))  # noqa: S704 (the environment escapes)


def html_page(title: str, subtitle: str, sections: Sequence[Markup], made: str) -> str:
    """Return a page: a title, sections of HTML, and a line that says when it was made."""
    return render("page.html", title=title, subtitle=subtitle, sections=sections, made=made)


def html_table(report: ReportTable, heading: str = "") -> Markup:
    """Return a report as a heading, a table and its notes."""
    head, body = display_rows(report)
    deepest = max((row.depth for row, _ in body), default=0)
    rows = [
        (
            row,
            "total" if row is report.total else "group" if not row.leaf and row.depth < deepest else "",
            cells,
        )
        for row, cells in body
    ]
    return render("table.html", heading=heading, head=head, rows=rows, report=report)
