"""The command line: `outlay --help`. Each command is in outlay/cli, and is imported when it is used."""

import importlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from outlay.cli.help import App

COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "Run": {
        "up": ("stack:up", "Start Kafka, ClickHouse and all services in the background."),
        "down": ("stack:down", "Stop Outlay on this machine. Its data is kept."),
        "status": ("stack:status", "Show each process: health, lag, memory, and its address."),
        "demo": ("demo:demo", "Start the system and stream a real trace of LLM calls through it."),
        "open": ("local_view:open_console", "Open the console, or an alert, in the browser."),
        "logs": ("local_view:logs", "Print the logs of the processes, and follow them."),
        "doctor": ("stack:doctor", "Find problems of the system and suggest fixes."),
        "setup": ("stack:setup", "Create topics, tables and a first catalog in your own stores."),
    },
    "Send": {
        "emit": ("events:emit", "Send usage events to ingest."),
        "import": ("imports:app", "Import history from files."),
    },
    "Analyze": {
        "report": ("reports:app", "Show who spent what, why, and how it changes."),
        "forecast": ("forecast:forecast", "Forecast this month and each budget, or any series."),
        "opportunities": ("opportunities:opportunities", "Show possible savings."),
        "note": ("notes:note", "Mark a moment on the charts of the console."),
        "review": ("review:review", "Summarize a week on one page."),
        "query": ("reports:query", "Run SQL on your cost data."),
        "export": ("export:app", "Export the ledger in FOCUS."),
    },
    "Prices": {
        "price": ("price:price", "Price usage events offline."),
        "explain": ("reprice:explain", "Show why an event costs what it costs."),
        "catalog": ("catalog:app", "Check, compare, publish and show the catalog."),
        "reprice": ("reprice:reprice", "Price past events again with the catalog in force."),
    },
    "Alerts": {
        "budgets": ("alerts:budgets", "Show each budget: what is spent, and the forecast."),
        "alerts": ("alerts:app", "List, acknowledge and test alerts."),
    },
    "Verify": {
        "audit": ("audit:audit", "Verify that nothing was lost."),
        "rebuild": ("audit:rebuild", "Recompute the rollups of a time range from the ledger."),
        "dead-letters": ("dead_letters:app", "List, edit and replay events that could not be used."),
        "reconcile": ("reconcile:reconcile", "Compare with a provider's bill."),
        "periods": ("chargeback:app", "Close months, and list the closed ones."),
    },
    "Access": {
        "keys": ("keys:app", "Create, list, revoke and rotate API keys."),
        "audit-log": ("audit_log:audit_log", "Show who did what, and when."),
    },
}
"""What `outlay --help` lists: by heading and name, the module and attribute in outlay.cli, and what it does."""


_PLACES = {name: place for group in COMMANDS.values() for name, (place, _) in group.items()}


class _Commands(Mapping[str, Any]):
    """The commands by name, each imported when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = _PLACES[name].partition(":")
        found = getattr(importlib.import_module(f"outlay.cli.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            command, found = found, App()
            found.command(name)(command)
        return typer.main.get_command(found)

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


class _Group(TyperGroup):
    """The top level: lists its commands without importing them."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = _Commands()

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        width = max(map(len, _PLACES))
        for heading, commands in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:<{width}}", text) for name, (_, text) in commands.items()])
        with formatter.section("Options"):
            formatter.write_dl([found for p in self.get_params(ctx) if (found := p.get_help_record(ctx))])
        formatter.write("\nStart with: outlay demo. Help on a command: outlay COMMAND --help\n")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"outlay {version('outlay')}")
        raise typer.Exit


app = App(help="Outlay: what your AI costs, while the money is being spent.", cls=_Group)


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None: ...
