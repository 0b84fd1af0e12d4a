"""How commands are declared, and their help: plain text, quick to load, with examples as they are typed."""

import inspect
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


def _write_text(formatter: Any, text: str) -> None:
    """Write paragraphs, wrapped, and indented ones, which are examples, as they are."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        formatter.write_paragraph()
        with formatter.indentation():
            if paragraph.startswith("    "):
                for one in paragraph.splitlines():
                    formatter.write(" " * (formatter.current_indent + 2) + one.strip() + "\n")
            else:
                formatter.write_text(paragraph.replace("\n", " "))


class _Command(TyperCommand):
    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write the usage line, with --limit N and --tenant TENANT from here on, instead of <int range> and <str>."""
        params: Any = self.params
        for param in params:
            kind = param.display_type(ctx) if param.metavar is None else ""
            if param.param_type_name == "argument":
                param.display_type_rich = lambda **_: None
            if kind.startswith(("<int", "<float")):
                param.metavar = "N"
            elif kind in ("<str>", "<list[str]>"):
                param.metavar = str(param.name).upper()
        super().format_usage(ctx, formatter)

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the command does."""
        _write_text(formatter, self.help or "")


class _Group(TyperGroup):
    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the commands are for."""
        _write_text(formatter, self.help or "")

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each command with the whole sentence that says what it does."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, inspect.cleandoc(one.help or "").split("\n\n")[0].replace("\n", " "))
                    for name, one in self.commands.items()
                ]
            )


class App(typer.Typer):
    """A group of commands with plain help."""

    def __init__(self, name: str | None = None, help: str = "", cls: type[TyperGroup] = _Group) -> None:  # noqa: A002
        super().__init__(
            name=name, help=help, cls=cls, no_args_is_help=True, add_completion=cls is not _Group,
            rich_markup_mode=None, pretty_exceptions_show_locals=False,
            context_settings={"help_option_names": ["-h", "--help"]},
        )  # fmt: skip

    def command(self, name: str | None = None, **more: Any) -> Callable[[Any], Any]:
        """Return a decorator that adds a command, which ends with a message for expected errors."""
        from outlay.cli.errors import friendly_errors

        add = super().command(name, cls=_Command, **more)
        return lambda function: add(friendly_errors(function))
