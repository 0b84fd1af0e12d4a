"""What commands print, whole on a terminal, in a pipe and in a file: tables, reports, JSON, and errors with a fix."""

import importlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import wraps
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

import typer
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.text import Text

if TYPE_CHECKING:
    from outlay_reports.report_table import ReportTable

P = ParamSpec("P")
R = TypeVar("R")

_LISTED = 20  # most names that an error lists
_EXPECTED = {
    "outlay.embedded.errors:StackError": "",
    "outlay.client:SendError": "",
    "outlay.demo.trace:TraceError": "",
    "outlay_reports.errors:QueryError": "",
    "outlay_schemas.currency:NoRateError": "",
    "outlay_alerter.backtest.runner:NotPossibleError": "see what fired so far: outlay alerts list --all",
    "outlay_kit.keys:KeyFileError": "",
    "outlay_kit.errors:Retryable": "check the system: outlay status",
    "clickhouse_connect.driver.exceptions:DatabaseError": "check the system: outlay doctor",
}
"""Errors that need no traceback, with the fix where the error names none itself."""
_INVISIBLE = dict.fromkeys(
    (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), None
)
"""Control characters, and those that turn the direction of a line, are left out: they have no width."""
_GAP = 2  # blanks between two columns
_WRAPPED = 24
"""Columns of text with blanks may be wrapped to this width on a narrow terminal; ids and numbers never are."""


class SafeConsole(Console):
    """Writes names as producers sent them, without letting them steer the terminal with escape sequences."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render as rich does, without the control characters of texts."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(text.translate(_INVISIBLE), style)


out = SafeConsole(highlight=False)  # where answers go
err = SafeConsole(stderr=True, highlight=False)  # where progress and errors go, so that answers can be piped


def line(text: object, style: str = "") -> None:
    """Print a line of an answer as it is, however long."""
    out.print(Text(str(text), style), soft_wrap=True)


def note(text: object, style: str = "") -> None:
    """Print a line beside an answer, on stderr."""
    err.print(Text(str(text), style), soft_wrap=True)


def warn(text: object) -> None:
    """Print a warning on stderr."""
    err.print(f"[yellow]Warning:[/] {escape(str(text))}", soft_wrap=True)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show that something is in progress."""
    with err.status(text):
        yield


def print_json(value: object) -> None:
    """Print one JSON value, in which there may be structs, on one line, unwrapped and unstyled."""
    typer.echo(json.dumps(value, default=_plain))


def _plain(value: object) -> object:
    import msgspec

    struct = isinstance(value, msgspec.Struct) or is_dataclass(value)
    return msgspec.to_builtins(value) if struct else str(value)


def print_rows(as_json: bool, rows: Sequence[Mapping[str, object]], title: str, empty: str) -> None:
    """Print rows as JSON or as a table with the keys of the first as columns."""
    if as_json:
        print_json(list(rows))
        return
    names = list(rows[0]) if rows else []
    numbers = {name for name in names if all(isinstance(row[name], int | float | Decimal) for row in rows)}
    columns = [f">{name}" if name in numbers else name for name in names]
    print_table(title, columns, [[row[name] for name in names] for row in rows], empty)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print a table, or `empty` without rows. Columns that start with `>` are right-aligned."""
    if not rows:
        line(empty, "dim")
        return
    if title:
        line(title, "bold")
    head = [(column.lstrip(">"), column.startswith(">")) for column in columns]
    print_grid(out, head, [(["" if cell is None else str(cell) for cell in row], "") for row in rows])


def print_report(report: "ReportTable", console: Console = out) -> None:
    """Print a report with its notes below."""
    from outlay_reports.renderers import display_rows

    console.print(Text(report.title, style="bold"), soft_wrap=True)
    if not report.rows:
        console.print(report.empty, style="dim")
    else:
        head, body = display_rows(report)
        tree = any(row.depth > 0 for row, _ in body)
        rows = [
            (cells, "bold" if row is report.total or (tree and row.depth == 0) else "") for row, cells in body
        ]
        print_grid(console, head, rows)
    for text in report.notes:
        console.print(Text(f"· {text}", style="yellow"), soft_wrap=True)


def print_grid(
    console: Console, head: Sequence[tuple[str, bool]], rows: Sequence[tuple[Sequence[str], str]]
) -> None:
    """Print the one table of the command line: no cell is ever cut. `head`: titles, and whether right-aligned; `rows`:
    cells and a style. In a pipe it is as wide as it must be; a narrow terminal wraps text, or shows rows as blocks."""
    from rich.table import Table

    from outlay_reports.report_table import one_line

    cells = [[one_line(cell) for cell in row] for row, _ in rows]
    widths = [max(map(cell_len, column)) for column in zip([title for title, _ in head], *cells, strict=True)]
    texts = [
        not right and widths[n] > _WRAPPED and any(" " in row[n].strip() for row in cells)
        for n, (_, right) in enumerate(head)
    ]
    least = [_WRAPPED if text else width for text, width in zip(texts, widths, strict=True)]
    gaps = _GAP * len(head)
    room = console.width if console.is_terminal else sum(widths) + gaps
    if sum(least) + gaps > room:
        _print_blocks(console, [title for title, _ in head], cells)
        return
    grid = Table(header_style="bold", box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for (title, right), width, text in zip(head, least, texts, strict=True):
        grid.add_column(
            title, justify="right" if right else "left", no_wrap=not text, min_width=width, overflow="fold"
        )
    for row, (_, style) in zip(cells, rows, strict=True):
        grid.add_row(*map(escape, row), style=style)
    page = type(console)(file=console.file, width=room, force_terminal=console.is_terminal, highlight=False)
    page.print(grid)


def _print_blocks(console: Console, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    width = max(map(cell_len, titles))
    for row in rows:
        for title, cell in zip(titles, row, strict=True):
            if cell.strip():
                console.print(Text(f"{title:<{width}}  ", "bold") + Text(cell.strip()), soft_wrap=True)
        console.print()


@contextmanager
def resumable(so_far: str = "nothing was changed") -> Iterator[Callable[[str], None]]:
    """Yield a function that notes what a command has done so far. If a store goes away, or the user stops the command,
    it ends with that and with the remedy, to repeat the command: use it where that is safe."""
    from outlay_kit.errors import Refused, Retryable

    def note_down(text: str) -> None:
        nonlocal so_far
        so_far = text

    try:
        yield note_down
    except KeyboardInterrupt:
        note(f"{so_far}; the same command completes the rest")
        raise
    except Exception as error:
        gone = next((one for one in (error, error.__cause__) if isinstance(one, Retryable)), None)
        if gone is None or isinstance(gone, Refused):
            raise
        hint = "repeat the same command: it is safe and completes the rest; check the system first: outlay status"
        raise CommandError(f"{error}; {so_far}", hint) from error


class CommandError(Exception):
    """The command cannot do what was asked. `hint` says how to fix it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def unknown(kind: str, name: str, known: Iterable[str], see: str = "") -> CommandError:
    """Return the error for a name that does not exist, with the name that was probably meant."""
    names = list(dict.fromkeys(known))
    near = get_close_matches(name, names, 1, 0.6)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    if names and len(names) <= _LISTED:
        hint += f"use one of: {', '.join(names)}"
    elif not near:
        hint = see
    return CommandError(f'unknown {kind} "{name}"', hint.strip())


def fail(message: str, hint: str = "", code: int = 1) -> NoReturn:
    """Print what is wrong and how to fix it, and end with `code`."""
    err.print(f"[bold red]Error:[/] {escape(message.strip())}", soft_wrap=True)
    if hint:
        err.print(f"[bold]Fix:[/] {escape(hint)}", soft_wrap=True)
    raise typer.Exit(code)


def friendly_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Let a command end with a message instead of a traceback for what can be expected to go wrong."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            err.print("stopped")
            raise typer.Exit(130) from None
        except CommandError as error:
            fail(str(error), error.hint)
        except Exception as error:
            for name, fix in _EXPECTED.items():
                if isinstance(error, _class(name)):
                    fail(str(error), getattr(error, "hint", "") or fix)
            raise

    return run


def _class(name: str) -> type[BaseException]:
    """Return a class by `module:name`; only what failed is imported, for a quick start."""
    module, _, attribute = name.partition(":")
    found: type[BaseException] = getattr(importlib.import_module(module), attribute)
    return found
