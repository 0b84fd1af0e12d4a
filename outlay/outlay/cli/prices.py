"""Commands about what an event costs."""

import sys
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.choices import (
    DEFAULT_BY,
    By,
    CatalogFolder,
    Refusals,
    plan_json,
    read_dimensions,
    read_folder,
    read_moment,
    show_plan,
)
from outlay.cli.common import AsJson, CommandError, print_json, told
from outlay.cli.events import FileArgument, lines_of

if TYPE_CHECKING:
    from outlay_schemas.events import CostEvent

_BLOCK = 500
"""Cost events written at once."""


@told
def price(
    file: FileArgument,
    *,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Price as of then, not as of each event's own time.")
    ] = None,
    catalog: CatalogFolder = None,
    as_model: Annotated[
        str | None, typer.Option(metavar="PROVIDER/MODEL", help="What if this model had answered every call?")
    ] = None,
    as_book: Annotated[
        str | None, typer.Option(metavar="BOOK", help="What if this price book came first?")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Show by group what the what-if changes, instead of events.")
    ] = False,
    by: By = DEFAULT_BY,
    as_json: AsJson = False,
) -> None:
    """Price usage events offline: NDJSON in, NDJSON cost events out. No stack is needed.

    A line that is no usage event is named on stderr, with its place and its mend; it holds back no other line, and the
    command then ends with 1. What has no price comes out as unpriced, with the reason in price_ref.

    Examples:

      outlay price usage.ndjson > costs.ndjson

      outlay price usage.ndjson --as-model anthropic/claude-haiku-4-5 --compare --by team
    """
    from outlay.catalog.offline import price_lines, read_lines
    from outlay.catalog.what_if import what_if
    from outlay_pricer.domain.compare import compare as difference

    moment = None if at is None else read_moment(at)
    groups = read_dimensions(by)
    if compare and as_model is None and as_book is None:
        raise CommandError("--compare has nothing to compare with", "add --as-model or --as-book")
    try:
        before, after = what_if(read_folder(catalog), as_model, as_book)
    except ValueError as error:
        raise CommandError(str(error), "outlay catalog show lists what has a price") from None
    refused = Refusals(as_json)
    lines = lines_of(file)
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
    if refused.count:
        raise typer.Exit(1)


def _write(costs: "Iterable[CostEvent]") -> None:
    """Write cost events to stdout, as NDJSON."""
    from outlay_schemas.events import encoder

    rest = iter(costs)
    while block := list(islice(rest, _BLOCK)):
        sys.stdout.buffer.write(encoder.encode_lines(block))
        sys.stdout.buffer.flush()
