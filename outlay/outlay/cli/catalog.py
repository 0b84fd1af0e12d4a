"""Commands about the catalog: prices, owners, budgets and rules as reviewed YAML."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from outlay.cli.common import AsJson, err, friendly_errors, out, print_json, working
from outlay.cli.common import show as tell
from outlay.cli.events import lines_of
from outlay.cli.price_tables import show_prices
from outlay.cli.pricing_options import (
    DEFAULT_BY,
    DEFAULT_CATALOG,
    SHOWN,
    By,
    CatalogFolder,
    Refusals,
    open_ledger,
    plan_json,
    read_dimensions,
    read_folder,
    read_moment,
    read_published,
    show_plan,
)

if TYPE_CHECKING:
    from outlay.catalog.diff import Change
    from outlay_schemas.catalog import Catalog
    from outlay_schemas.catalog.freshness import Stale
    from outlay_schemas.events import UsageEvent

app = typer.Typer(
    name="catalog",
    help="Prices, owners, budgets and rules as YAML: lint, diff, publish, show.",
    no_args_is_help=True,
)

Folder = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]",
        envvar="OUTLAY_CATALOG",
        help="A catalog folder. Default: the one that comes with Outlay.",
        show_default=False,
    ),
]
_MARKS = {"added": "[green]+[/]", "removed": "[red]-[/]", "changed": "[yellow]~[/]"}


@app.command()
@friendly_errors
def check(folder: Folder = None, as_json: AsJson = False) -> None:
    """Find everything that is wrong with a catalog folder, each thing with its file, line and mend. Works offline.

    It also warns of prices that nobody compared with their source for long, and of budgets and rules without a time
    zone; these are no errors.

    Examples:

      outlay catalog check my-catalog
    """
    import msgspec

    from outlay.catalog.contents import summary
    from outlay.catalog.load import default_folder, examine
    from outlay.catalog.rule_checks import without_zone
    from outlay_kit.clock import SystemClock
    from outlay_schemas.catalog.freshness import stale

    content, problems = examine(folder or default_folder())
    warnings = [] if content is None else without_zone(content)
    old = [] if content is None else stale(content, SystemClock().now())
    if as_json:
        print_json(
            {
                "problems": [dataclasses.asdict(item) for item in problems], "stale": msgspec.to_builtins(old),
                "warnings": warnings,
            }
        )  # fmt: skip
    else:
        for problem in problems:
            err.print(str(problem), markup=False, soft_wrap=True)
        _tell_stale(old)
        for warning in warnings:
            err.print(f"[yellow]warning[/] {escape(warning)}", soft_wrap=True)
        if content is not None and not problems:
            out.print(
                f"{folder or DEFAULT_CATALOG} is right: {summary(content)}", markup=False, soft_wrap=True
            )
    if problems:
        raise typer.Exit(1)


def _tell_stale(old: "list[Stale]") -> None:
    for item in old:
        err.print(f"[yellow]old[/] {item.message}", soft_wrap=True)


@app.command()
@friendly_errors
def plan(
    folder: Folder = None,
    *,
    against: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Compare with this folder. Default: the catalog in force."),
    ] = None,
    usage: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Usage events to price. Default: the ledger's last days."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3660, help="How many days of the ledger to price.")] = 30,
    by: By = DEFAULT_BY,
    as_json: AsJson = False,
) -> None:
    """Show what publishing a folder would change, and what that comes to in USD. Changes nothing.

    Budgets and rules that differ are tried on the ledger's last days too: how often each fired, and would have. With
    both --against and --usage no stack is needed, and no rule is tried.

    Examples:

      outlay catalog plan my-catalog

      outlay catalog plan my-catalog --against old-catalog --usage last-month.ndjson --by team
    """
    import msgspec

    from outlay.catalog.diff import changes
    from outlay_pricer.domain import CompiledCatalog
    from outlay_pricer.domain.compare import plan as compare

    groups = read_dimensions(by)
    new = read_folder(folder)
    old = read_published() if against is None else read_folder(against)
    found = changes(old, new)
    refused = Refusals(as_json)
    with _events(usage, days, refused) as events:
        impact = compare(CompiledCatalog.from_catalog(old), CompiledCatalog.from_catalog(new), events, groups)
    rules = _tried(old, new, days) if usage is None else []
    if as_json:
        print_json({"changes": msgspec.to_builtins(found), "impact": plan_json(impact), "rules": rules})
    else:
        _show_changes(found)
        show_plan(impact, f"impact on {usage or f'the last {days} days'}")
        if rules:
            tell(False, rules, f"alerts that would have been in the last {days} days", "")
    if refused.count:
        raise typer.Exit(1)


def _tried(old: "Catalog", new: "Catalog", days: int) -> list[dict[str, object]]:
    """Try the budgets and rules that differ on the last days, as they were and as they will be."""
    from outlay.backtest import last_days, planned
    from outlay.local import stores
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_kit.clock import SystemClock

    clickhouse = ClickHouseClient(stores()[1])
    with working(f"trying rules on the last {days} days"):
        rows = planned(clickhouse, old, new, last_days(SystemClock().now(), days))
    clickhouse.close()
    return rows


@contextmanager
def _events(usage: str | None, days: int, refused: Refusals) -> "Iterator[Iterator[UsageEvent]]":
    """Give the usage events of a file, or those of the ledger's last days as they were sent."""
    from outlay.catalog.offline import read_lines
    from outlay_kit.clock import SystemClock
    from outlay_pricer.domain.repricing import usage_of
    from outlay_pricer.ledger import Selection

    if usage is not None:
        yield (event for _, event in refused.sift(read_lines(lines_of(usage))))
        return
    since = SystemClock().now() - timedelta(days=days)
    with open_ledger() as ledger, working(f"pricing the last {days} days"):
        yield (usage_of(cost) for cost in ledger.events(Selection(since=since)))


def _show_changes(found: "list[Change]") -> None:
    if not found:
        out.print("nothing in the catalog changes", style="dim")
    for change in found[:SHOWN]:
        out.print(_MARKS[change.what], end=" ")
        out.print(change.thing, markup=False, soft_wrap=True)
        for detail in change.details[:SHOWN]:
            out.print(f"    {detail}", markup=False, soft_wrap=True)
    if len(found) > SHOWN:
        out.print(f"… and {len(found) - SHOWN} changes more; --json has all", style="dim")


@app.command()
@friendly_errors
def publish(
    folder: Folder = None,
    note: Annotated[str, typer.Option(help="Who and why, or the commit; kept with the revision.")] = "",
    as_json: AsJson = False,
) -> None:
    """Put a folder in force as the next revision: all of it or, with anything wrong in it, nothing.

    What has the same content as the catalog in force is not published again. Events from then on are priced by the
    new revision; those of the past keep their price until they are priced again (see: outlay reprice), but for those
    that had none, which are priced by themselves.

    Examples:

      outlay catalog publish my-catalog --note "EDP renewed, ticket FIN-231"
    """
    from outlay.catalog.contents import summary
    from outlay.catalog.publish import newest
    from outlay.catalog.publish import publish as put
    from outlay.local import stores
    from outlay_kit.clock import SystemClock
    from outlay_pricer.domain import CompiledCatalog
    from outlay_schemas.catalog.freshness import stale

    clock = SystemClock()
    content = read_folder(folder).model_copy(update={"note": note})
    CompiledCatalog.from_catalog(
        content
    )  # what cannot be compiled would leave the pricers with what they have
    kafka, _ = stores()
    with working("publishing"):
        known = newest(kafka)
        revision = put(kafka, content, clock)
    same = known is not None and known.revision == revision
    if as_json:
        print_json({"revision": revision, "published": not same})
        return
    _tell_stale(stale(content, clock.now()))
    if same:
        out.print(f"revision {revision} is in force and says the same; nothing was published")
    else:
        out.print(f"revision {revision} is in force: {summary(content)}", markup=False, soft_wrap=True)


@app.command()
@friendly_errors
def show(
    sku: Annotated[
        str | None,
        typer.Argument(metavar="[SKU]", help="A model, machine, storage class or path; with * a pattern."),
    ] = None,
    *,
    provider: Annotated[str, typer.Option(help="Whose; with * a pattern.")] = "",
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Prices as of then. Default: now.")] = None,
    catalog: CatalogFolder = None,
    published: Annotated[bool, typer.Option("--published", help="Look into the catalog in force.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a sku costs and where that is from: every meter, tier, condition, source and date. Works offline.

    Without a sku: what the catalog holds. With a pattern: all that match.

    Examples:

      outlay catalog show claude-sonnet-4-5 --provider anthropic --at 2026-01-01

      outlay catalog show 'p5*' --provider aws
    """
    import msgspec

    from outlay.catalog.contents import listing, overview
    from outlay_kit.clock import SystemClock
    from outlay_pricer.domain import CompiledCatalog

    moment = SystemClock().now() if at is None else read_moment(at)
    content = read_published() if published else read_folder(catalog)
    if sku is None and not provider:
        rows = msgspec.to_builtins(overview(content))
        tell(as_json, rows, "catalog", "the catalog is empty")
        return
    found = listing(CompiledCatalog.from_catalog(content), provider, sku or "*", moment)
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        show_prices(found)
    if not any(shown.prices for item in found for shown in item.prices):
        raise typer.Exit(1)


@app.command()
@friendly_errors
def schemas(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write them.")],
    as_json: AsJson = False,
) -> None:
    """Write a JSON Schema for each file of a catalog, so that an editor completes and checks while one writes.

    An editor that speaks the YAML Language Server takes the schema that the first line of a file names.

    Examples:

      outlay catalog schemas my-catalog/schemas
    """
    from outlay.catalog.json_schemas import write_schemas

    lines = write_schemas(folder)
    if as_json:
        print_json(lines)
    else:
        for name, line in lines.items():
            out.print(f"{name}: {line}", markup=False, soft_wrap=True)
