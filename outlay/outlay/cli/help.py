"""How commands are declared, and their help: plain text, quick to load, with examples as they are typed."""

import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import wraps
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
        _write_text(formatter, self.help or "")


class _Group(TyperGroup):
    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        _write_text(formatter, self.help or "")

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            texts = {name: inspect.cleandoc(one.help or "") for name, one in self.commands.items()}
            formatter.write_dl([(name, t.split("\n\n")[0].replace("\n", " ")) for name, t in texts.items()])


class App(typer.Typer):
    """A group of commands with plain help."""

    def __init__(self, name: str | None = None, help: str = "", cls: type[TyperGroup] = _Group) -> None:  # noqa: A002
        super().__init__(
            name=name, help=help, cls=cls, no_args_is_help=True, add_completion=cls is not _Group,
            rich_markup_mode=None, pretty_exceptions_show_locals=False,
            context_settings={"help_option_names": ["-h", "--help"]},
        )  # fmt: skip

    def command(self, name: str | None = None, **more: Any) -> Callable[[Any], Any]:
        """Return a decorator that adds a command, which ends with a message for expected errors. A parameter whose type
        is a dataclass stands for the options that the fields of the dataclass declare."""
        from outlay.cli.output import friendly_errors

        add = super().command(name, cls=_Command, **more)
        return lambda function: add(friendly_errors(_with_groups(function)))


def _with_groups(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that takes the fields of each dataclass among the parameters, instead of the dataclass."""
    options: list[inspect.Parameter] = []
    groups: dict[str, tuple[Callable[..., Any], list[str]]] = {}
    for parameter in inspect.signature(function).parameters.values():
        if is_dataclass(kind := parameter.annotation):
            fields = inspect.signature(group := _with_groups(kind)).parameters  # type: ignore[arg-type]
            groups[parameter.name] = group, list(fields)
            options += fields.values()
        else:
            options.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @wraps(function, updated=())
    def run(**given: Any) -> Any:
        for name, (group, names) in groups.items():
            given[name] = group(**{one: given.pop(one) for one in names})
        return function(**given)

    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run
