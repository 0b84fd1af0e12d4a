"""The command line: `outlay --help`. Wires the commands; each is in outlay/cli."""

import typer

from outlay.cli import (
    alerts,
    books,
    catalog,
    chargeback,
    demo,
    events,
    export,
    forecast,
    imports,
    keys,
    letters,
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
app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.status)
app.command()(stack.doctor)
app.command()(stack.setup)
app.command()(demo.demo)
app.command()(events.emit)
app.command()(query.query)
app.command()(prices.price)
app.command()(prices.explain)
app.command()(prices.reprice)
app.command()(books.audit)
app.command()(books.rebuild)
app.add_typer(letters.app)
app.add_typer(catalog.app)
app.add_typer(alerts.app)
app.add_typer(keys.app)
app.add_typer(imports.app)
app.command()(forecast.forecast)
app.add_typer(export.app)
app.command()(reconcile.reconcile)
app.command()(opportunities.opportunities)
app.command()(review.review)
reports.app.command()(chargeback.chargeback)
reports.app.command()(patterns.patterns)
app.add_typer(reports.app)
app.add_typer(periods.app)
