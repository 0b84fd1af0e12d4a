"""The command that prices usage events offline."""

import gc
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Annotated

import typer
from typer import Option

from outlay.catalog.offline import price_lines, read_lines
from outlay.catalog.what_if import what_if
from outlay.cli.errors import CommandError
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
from outlay.cli.output import print_json
from outlay.cli.price_tables import plan_json, show_plan
from outlay.cli.stores import read_folder
from outlay_pricer.domain.compare import compare as difference
from outlay_schemas.events import CostEvent, encoder

_BLOCK = 500
"""Cost events written at once."""


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

    Lines that are not valid usage events are shown on stderr, with their place and how to fix them; the other lines are
    priced, and the exit status is 1. Usage without a price comes out as unpriced, with the reason in price_ref.

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
        found = difference(
            before, after, (event for _, event in refused.sift(read_lines(lines, moment))), groups
        )
        if as_json:
            print_json(plan_json(found))
        else:
            show_plan(found, f"as {as_model or as_book}")
    else:
        _write(refused.sift(price_lines(lines, after, moment)))
    meters.warn()
    if refused.count:
        raise typer.Exit(1)


def _write(costs: Iterable[CostEvent]) -> None:
    """Write cost events to stdout, as NDJSON."""
    rest = iter(costs)
    while block := list(islice(rest, _BLOCK)):
        sys.stdout.buffer.write(encoder.encode_lines(block))
        sys.stdout.buffer.flush()
