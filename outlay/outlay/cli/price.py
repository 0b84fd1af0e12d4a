"""The command that prices usage events offline."""

import gc
import sys
from itertools import islice
from typing import Annotated

import typer
from typer import Option

from outlay.catalog.offline import price_lines, read_lines
from outlay.catalog.what_if import what_if
from outlay.cli.events import Meters, Refusals, events_of, lines_of
from outlay.cli.options import (
    DEFAULT_BY,
    AsJson,
    CatalogFolder,
    EventsFile,
    GroupBy,
    read_dimensions,
    read_moment,
)
from outlay.cli.output import CommandError, line, print_json, print_table, warn
from outlay.cli.stores import SHOWN, read_folder
from outlay_pricer.domain.compare import CostDifference, PriceComparison
from outlay_pricer.domain.compare import compare as difference
from outlay_reports.money import counted
from outlay_schemas.dimensions import name_of
from outlay_schemas.events import encoder

_BLOCK = 500  # cost events written at once


def price(
    file: EventsFile,
    *,
    at: Annotated[str | None, Option(metavar="TIME", help="Price as of this time.")] = None,
    catalog: CatalogFolder = None,
    as_model: Annotated[
        str | None, Option(metavar="PROVIDER/MODEL", help="Price all calls as this model.")
    ] = None,
    as_book: Annotated[str | None, Option(metavar="BOOK", help="Put this price book first.")] = None,
    compare: Annotated[bool, Option("--compare", help="Show the difference by group.")] = False,
    by: GroupBy = DEFAULT_BY,
    as_json: AsJson = False,
) -> None:
    """Price usage events offline: NDJSON in, NDJSON cost events out. No stack is needed.

    Lines that are not valid usage events are shown on stderr, with their position and how to fix them; the other
    lines are priced, and the exit status is 1. Usage without a price comes out as unpriced, with the reason in
    price_ref.

    Examples:

        outlay price usage.ndjson > costs.ndjson
        outlay price usage.ndjson --as-model anthropic/claude-haiku-4-5 --compare --by team
    """
    gc.set_threshold(200_000)  # nothing here is circular; the search for cycles took a sixth of the time
    moment = None if at is None else read_moment(at)
    groups = read_dimensions(by)
    if compare and as_model is None and as_book is None:
        raise CommandError("--compare has nothing to compare with", "add --as-model or --as-book")
    try:
        before, after = what_if(read_folder(catalog), as_model, as_book)
    except ValueError as error:
        raise CommandError(str(error), "outlay catalog show lists what has a price") from None
    refused = Refusals(as_json)
    meters = Meters()
    lines = meters.watch(events_of(lines_of(file)))
    if compare:
        found = difference(before, after, refused.sift(read_lines(lines, moment)), groups)
        if as_json:
            print_json(found)
        else:
            show_plan(found, f"as {as_model or as_book}")
    else:
        costs = refused.sift(price_lines(lines, after, moment))
        while block := list(islice(costs, _BLOCK)):
            sys.stdout.buffer.write(encoder.encode_lines(block))
            sys.stdout.buffer.flush()
    meters.warn()
    if refused.count:
        raise typer.Exit(1)


def show_plan(plan: PriceComparison, title: str) -> None:
    """Print a difference: the groups that change most, and the sum."""
    total = plan.total
    changed = [group for group in plan.groups if group.changed or group.refused_after]
    rows = [
        [*map(name_of, one.group.values()), one.before, one.after, one.change, one.events, *_moved(one)]
        for one in changed[:SHOWN]
    ]
    names = list(plan.groups[0].group) if plan.groups else []
    columns = [*names, ">before", ">after", ">change USD", ">events", "unpriced", "estimated"]
    print_table(title, columns, rows, f"{title}: no cost changes")
    if len(changed) > SHOWN:
        line(f"… and {len(changed) - SHOWN} more groups; --json has all", "dim")
    unpriced, estimated = _moved(total)
    line(
        f"{counted(total.events, 'event')}: {total.before} → {total.after} USD, change {total.change}; "
        f"{total.changed:,} change, unpriced {unpriced}, estimated {estimated}"
    )
    if total.refused_after:
        warn(f"{counted(total.refused_after, 'event')} would become dead letters")


def _moved(found: CostDifference) -> list[str]:
    pairs = ((found.unpriced_before, found.unpriced_after), (found.estimated_before, found.estimated_after))
    return [f"{old:,} → {new:,}" if old != new else f"{new:,}" for old, new in pairs]


def origin_of(source: str, checked: str, since: str, until: str = "") -> str:
    """Return the source of a price, and the dates when it was checked and when it is in force."""
    dates = f"of {checked}" if checked else "never compared with its source"
    dates += f", in force since {since[:10]}" if since else ""
    dates += f", until {until[:10]}" if until else ""
    return f"{source or 'source not stated'} ({dates})"
