"""A sheet on the terminal, with the same exact values as in every other format."""

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from outlay_reports.renderers import display_rows
from outlay_reports.report_table import ReportTable


def to_terminal(sheet: ReportTable, console: Console) -> None:
    """Print a table, its notes under it."""
    console.print(Text(sheet.title, style="bold"), soft_wrap=True)
    if not sheet.rows:
        console.print(sheet.empty, style="dim")
    else:
        grid = _grid(sheet)
        wide = Measurement.get(console, console.options.update(width=1000), grid).maximum
        # A table is never squeezed until its names are gone: a narrow terminal wraps its lines instead.
        page = type(console)(  # of the same kind: the command's shows no control characters of names
            file=console.file, width=max(wide, 1), force_terminal=console.is_terminal, highlight=False
        )
        page.print(grid)
    for note in sheet.notes:
        console.print(Text(f"· {note}", style="yellow"), soft_wrap=True)


def _grid(sheet: ReportTable) -> Table:
    head, body = display_rows(sheet)
    grid = Table(
        header_style="bold", show_footer=sheet.total is not None, box=None, pad_edge=False, padding=(0, 2, 0, 0),
    )  # fmt: skip
    footer = body.pop()[1] if sheet.total is not None else [""] * len(head)
    for (title, right), foot in zip(head, footer, strict=True):
        grid.add_column(
            title,
            justify="right" if right else "left",
            footer=escape(foot),
            footer_style="bold",
            no_wrap=True,
        )
    deepest = max(row.depth for row, _ in body)
    for row, cells in body:
        grid.add_row(*map(escape, cells), style="bold" if row.depth == 0 and deepest > 0 else "")
    return grid
