"""Commands about the catalog: prices, owners, budgets and rules as reviewed YAML."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs
from typer import Argument, Option

from outlay.catalog.checks import without_zone
from outlay.catalog.contents import overview, summary
from outlay.catalog.diff import Change, changes, removals
from outlay.catalog.load import default_folder, examine
from outlay.catalog.offline import read_lines
from outlay.catalog.publish import CatalogTopic, ConflictError
from outlay.cli import catalog_files
from outlay.cli.actor import actor
from outlay.cli.events import Refusals, lines_of
from outlay.cli.help import App
from outlay.cli.options import DEFAULT_BY, AsJson, CatalogFolder, GroupBy, read_dimensions, read_moment
from outlay.cli.output import (
    CommandError,
    line,
    note,
    print_json,
    print_rows,
    print_table,
    resumable,
    unknown,
    warn,
    working,
)
from outlay.cli.price import origin_of, show_plan
from outlay.cli.stores import SHOWN, open_clickhouse, read_folder, read_published
from outlay.local.state import stores
from outlay_kit.clock import SystemClock
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.domain.compare import plan as compare
from outlay_pricer.domain.price_listing import Listed, listing, names_of
from outlay_pricer.domain.repricing import usage_of
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_schemas.catalog.freshness import stale
from outlay_schemas.events import UsageEvent

app = App(
    "catalog", "Check, compare, publish and show the catalog: prices, owners, budgets and rules as YAML."
)
for command in (catalog_files.init, catalog_files.export, catalog_files.schemas):
    app.command()(command)
Folder = Annotated[
    Path | None,
    Argument(
        metavar="DIR",
        envvar="OUTLAY_CATALOG",
        help="Catalog folder. Default: Outlay's own.",
        show_default=False,
    ),
]
_DEFAULT = "the catalog that comes with Outlay"
_NAMES = 20  # most names whose prices are shown; --json has them all
_MARKS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


@app.command()
def check(folder: Folder = None, as_json: AsJson = False) -> None:
    """Validate a catalog folder and suggest fixes: each problem with its file and line. Works offline.

    It also warns about prices that have not been compared with their source for a long time, and about budgets and
    rules without a time zone.

    Examples:

        outlay catalog check my-catalog
    """
    content, problems = examine(folder or default_folder(), layered=folder is not None)
    warnings = without_zone(content) if content else []
    old = stale(content, SystemClock().now()) if content else []
    if as_json:
        print_json({"problems": problems, "stale": old, "warnings": warnings})
    else:
        for problem in problems:
            note(problem)
        for text in [*(item.message for item in old), *warnings]:
            warn(text)
        if content is not None and not problems:
            line(f"{folder or _DEFAULT} is valid ({summary(content)})")
    if problems:
        raise typer.Exit(1)


@app.command()
def plan(
    folder: Folder = None,
    *,
    against: Annotated[
        Path | None, Option(metavar="DIR", help="Folder to compare with. Default: the catalog in force.")
    ] = None,
    usage: Annotated[
        str | None, Option(metavar="FILE|-", help="Events to price. Default: the ledger's.")
    ] = None,
    days: Annotated[int, Option(min=1, max=3660, help="Days of the ledger to price.")] = 30,
    by: GroupBy = DEFAULT_BY,
    as_json: AsJson = False,
) -> None:
    """Show what publishing a folder would change, and its effect in USD. Changes nothing.

    Budgets and rules that differ are also tried on the last days of the ledger: how often each fired, and how often
    it would have fired. With both --against and --usage no stack is needed, and no rule is tried.

    Examples:

        outlay catalog plan my-catalog
        outlay catalog plan my-catalog --against old-catalog --usage last-month.ndjson --by team
    """
    groups = read_dimensions(by)
    new = read_folder(folder)
    old = read_published() if against is None else read_folder(against)
    found = changes(old, new)
    refused = Refusals(as_json)
    with _events(usage, days, refused) as events:
        impact = compare(CompiledCatalog(old), CompiledCatalog(new), events, groups)
    rules: list[dict[str, object]] = []
    if usage is None:
        from outlay.catalog.rule_history import last_days, planned

        with open_clickhouse() as clickhouse, working(f"trying rules on the last {days} days"):
            rules = planned(clickhouse, old, new, last_days(SystemClock().now(), days))
    if as_json:
        print_json({"changes": found, "impact": impact, "rules": rules})
    else:
        _show_changes(found)
        show_plan(impact, f"impact on {usage or f'the last {days} days'}")
        if rules:
            print_rows(False, rules, f"alerts in the last {days} days", "")
    if refused.count:
        raise typer.Exit(1)


@contextmanager
def _events(usage: str | None, days: int, refused: Refusals) -> Iterator[Iterator[UsageEvent]]:
    """Return the usage events of a file, or those of the ledger's last days as they were sent."""
    if usage is not None:
        yield refused.sift(read_lines(lines_of(usage)))
        return
    since = SystemClock().now() - timedelta(days=days)
    with open_clickhouse() as clickhouse, working(f"pricing the last {days} days"):
        yield (usage_of(cost) for cost in LedgerReader(clickhouse).events(Selection(since=since)))


def _show_changes(found: Sequence[Change]) -> None:
    if not found:
        line("nothing in the catalog changes", "dim")
    for change in found[:SHOWN]:
        mark, style = _MARKS[change.what]
        line(f"{mark} {change.thing}", style)
        for detail in change.details[:SHOWN]:
            line(f"    {detail}")
    if len(found) > SHOWN:
        line(f"… and {len(found) - SHOWN} more changes; --json has all", "dim")


@app.command()
def publish(
    folder: Folder = None,
    comment: Annotated[str, Option("--note", help="Why; kept with the revision and its author.")] = "",
    allow_removals: Annotated[
        bool, Option("--allow-removals", help="Also remove what the folder lacks.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish a folder as the next revision of the catalog: all of it or, if it has a problem, nothing.

    Where the folder lacks a file, the one that comes with Outlay is used. If something in force would be removed,
    nothing is published without --allow-removals. Content that is in force already is not published again. New events
    are priced by the new revision. Past events keep their price until `outlay reprice`; unpriced ones are priced
    automatically.

    This writes to Kafka itself, so it needs no approval, even where the console does (OUTLAY_CONSOLE_APPROVAL).
    Kafka's access rules decide who may publish.

    Examples:

        outlay catalog publish my-catalog --note "EDP renewed, ticket FIN-231"
    """
    clock = SystemClock()
    content = read_folder(folder).model_copy(update={"note": comment, "author": actor()})
    CompiledCatalog(content)  # pricers would ignore a catalog that cannot be compiled
    with working("publishing"), resumable("nothing was published") as done:
        topic = CatalogTopic(stores()[0])
        known = topic.newest()
        if known is not None and not allow_removals and (gone := removals(known, content)):
            raise _removes(gone, folder)
        done("the catalog may be published or not, but never in part")
        try:
            revision = topic.publish(content, clock, known.revision if known else None)
        except ConflictError as error:
            raise CommandError(str(error), "review it, then publish again: outlay catalog plan") from None
    same = known is not None and known.revision == revision
    if as_json:
        print_json({"revision": revision, "published": not same})
        return
    for item in stale(content, clock.now()):
        warn(item.message)
    if same:
        line(f"revision {revision} is in force with the same content; nothing was published")
    else:
        line(f"revision {revision} is in force ({summary(content)})")


def _removes(gone: Sequence[str], folder: Path | None) -> CommandError:
    named = "".join(f"\n  - {thing}" for thing in gone[:SHOWN])
    more = f"\n  and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
    message = f"this would remove what is in force, and nothing was published:{named}{more}"
    return CommandError(
        message,
        f"add it to the folder (outlay catalog export DIR writes all that is in force), or agree:"
        f" outlay catalog publish {folder or ''} --allow-removals",
    )


@app.command()
def show(
    sku: Annotated[str | None, Argument(metavar="SKU", help="A model or SKU; * matches anything.")] = None,
    *,
    provider: Annotated[str, Option(help="Provider; * matches anything.")] = "",
    at: Annotated[str | None, Option(metavar="TIME", help="Prices at this time. Default: now.")] = None,
    catalog: CatalogFolder = None,
    published: Annotated[bool, Option("--published", help="Show the catalog in force.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the price of a model or SKU and its source: every meter, tier, condition and date. Works offline.

    Without a name: the contents of the catalog. With a pattern: all that match.

    Examples:

        outlay catalog show claude-sonnet-4-5 --provider anthropic --at 2026-01-01
        outlay catalog show 'p5*' --provider aws
    """
    moment = SystemClock().now() if at is None else read_moment(at)
    content = read_published() if published else read_folder(catalog)
    if sku is None and not provider:
        rows = [structs.asdict(part) for part in overview(content)]
        print_rows(as_json, rows, "Catalog", "the catalog is empty")
        return
    found = listing(CompiledCatalog(content), provider, sku or "*", moment)
    if as_json:
        print_json(found)
    else:
        _show_prices(found)
    if not any(shown.prices for item in found for shown in item.prices):
        raise unknown("model or SKU", sku or "*", sorted({name for _, name in names_of(content)}))


def _show_prices(found: list[Listed]) -> None:
    for item in found[:_NAMES]:
        for shown in item.prices:
            conditions = {**shown.where, **{key: [value] for key, value in shown.context.items()}}
            when = "".join(f" {key}={'|'.join(words)}" for key, words in conditions.items())
            rows = [
                [p.meter, f"{p.price} {shown.currency}", p.per, p.above if p.above != "0" else "", p.note]
                for p in shown.prices
            ]
            empty = f"{shown.ref}: no price: {shown.reason}"
            print_table(shown.ref + when, ["meter", ">costs", ">per", ">above", "note"], rows, empty)
            if rows:
                line(origin_of(shown.source, shown.checked[:10], shown.since, shown.until), "dim")
    if len(found) > _NAMES:
        line(f"… and {len(found) - _NAMES} more names; --json has all", "dim")
