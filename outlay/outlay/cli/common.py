"""What every command shares: where it prints, how it fails, how it shows progress."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import wraps
from typing import Annotated, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table

from outlay_reports.report_table import one_line

P = ParamSpec("P")
R = TypeVar("R")

_UNSEEN = dict.fromkeys(
    (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), None
)
"""Control characters, and those that turn the direction of a line, are left out: they have no width."""


class SafeConsole(Console):
    """Writes names as they came from producers without letting them steer the terminal: no escapes of theirs."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render as rich does, without the control characters of texts."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(text.translate(_UNSEEN), style)


out = SafeConsole(highlight=False)
"""Where answers go."""
err = SafeConsole(stderr=True, highlight=False)
"""Where progress and errors go, so that answers can be piped."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class DecimalMark(StrEnum):
    """What stands before the decimals of a number."""

    point = "point"
    comma = "comma"


DecimalOption = Annotated[
    DecimalMark, typer.Option("--decimal", help="What stands before decimals: 1,234.56 or 1.234,56.")
]


class CommandError(Exception):
    """The command cannot do what was asked. `hint` says what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def fail(message: str, hint: str = "", code: int = 1) -> NoReturn:
    """Tell what is wrong and how to mend it, and end with `code`."""
    err.print(f"[bold red]error[/] {escape(message)}", soft_wrap=True)
    if hint:
        err.print(f"[bold]what to do[/] {escape(hint)}", soft_wrap=True)
    raise typer.Exit(code)


def friendly_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Let a command end with a message instead of a traceback for what can be expected to go wrong."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        from outlay.client import SendError
        from outlay.demo.trace import TraceError
        from outlay.embedded import StackError
        from outlay_kit.errors import Retryable

        try:
            return command(*args, **kwargs)
        except CommandError as error:
            fail(str(error), error.hint)
        except StackError as error:
            fail(error.message, error.hint)
        except (SendError, TraceError) as error:
            fail(str(error))
        except Retryable as error:
            fail(str(error), "is the stack up? see: outlay status")
        except KeyboardInterrupt:
            err.print("stopped")
            raise typer.Exit(130) from None

    return run


def print_json(value: object) -> None:
    """Print one JSON value on one line, unwrapped and unstyled."""
    typer.echo(json.dumps(value, default=str))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print a table, or `empty` where there is no row. Columns that start with `>` are right-aligned."""
    if not rows:
        out.print(empty, style="dim")
        return
    grid = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        grid.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left")
    for row in rows:
        grid.add_row(*("" if cell is None else escape(one_line(str(cell))) for cell in row))
    out.print(grid)


def show(as_json: bool, rows: Sequence[Mapping[str, object]], title: str, empty: str) -> None:
    """Print rows as JSON or as a table with the keys of the first as columns."""
    if as_json:
        print_json(list(rows))
        return
    columns = list(rows[0]) if rows else []
    table(title, columns, [[row[column] for column in columns] for row in rows], empty)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show that something is under way."""
    with err.status(text):
        yield
