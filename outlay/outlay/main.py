"""The command line: `outlay --help`. Wires the commands; each is in outlay/cli."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import typer

from outlay.cli import (
    alerts,
    audit,
    budgets,
    catalog,
    chargeback,
    dead_letters,
    demo,
    events,
    export,
    forecast,
    imports,
    keys,
    opportunities,
    patterns,
    periods,
    prices,
    query,
    reconcile,
    reports,
    review,
    stack,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Outlay: what your AI costs, while the money is being spent.",
    epilog="Start with: outlay demo",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"outlay {version('outlay')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None: ...


reports.app.command()(chargeback.chargeback)
reports.app.command()(patterns.patterns)

COMMANDS: dict[str, tuple[Callable[..., Any] | typer.Typer, ...]] = {
    "Run": (stack.up, stack.down, stack.status, demo.demo, stack.doctor, stack.setup),
    "Send": (events.emit, imports.app),
    "See": (
        reports.app,
        forecast.forecast,
        opportunities.opportunities,
        review.review,
        query.query,
        export.app,
    ),
    "Prices": (prices.price, prices.explain, catalog.app, prices.reprice),
    "Watch": (budgets.budgets, alerts.app),
    "Check": (audit.audit, audit.rebuild, dead_letters.app, reconcile.reconcile, periods.app),
    "Access": (keys.app,),
}
"""What `outlay --help` lists, under these headings."""

for heading, commands in COMMANDS.items():
    for command in commands:
        if isinstance(command, typer.Typer):
            app.add_typer(command, rich_help_panel=heading)
        else:
            app.command(rich_help_panel=heading)(command)
