"""How a command ends when it cannot do what was asked: one sentence, and how to fix it."""

import importlib
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

import typer
from rich.markup import escape

from outlay.cli.output import err

P = ParamSpec("P")
R = TypeVar("R")

_LISTED = 20
"""Most names that an error lists."""
_EXPECTED = {
    "outlay.embedded.errors:StackError": "",
    "outlay.client:SendError": "",
    "outlay.demo.trace:TraceError": "",
    "outlay_reports.errors:QueryError": "",
    "outlay_alerter.backtest.runner:NotPossibleError": "see what fired so far: outlay alerts list --all",
    "outlay_kit.keys:KeyFileError": "",
    "outlay_kit.errors:Retryable": "check the system: outlay status",
    "clickhouse_connect.driver.exceptions:DatabaseError": "check the system: outlay doctor",
}
"""Errors that need no traceback, with the fix where the error names none itself."""


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
