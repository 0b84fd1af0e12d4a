"""The command that says what the past shows."""

from pathlib import Path
from typing import Annotated

import typer

from outlay.cli.common import err, friendly_errors, out
from outlay.cli.report_options import AsJsonOption, Tenant, Tz, Where, reading


@friendly_errors
def patterns(
    tz: Tz = "UTC",
    where: Where = None,
    tenant: Tenant = None,
    picture: Annotated[Path | None, typer.Option(help="Also draw them into this file, .svg.")] = None,
    as_json: AsJsonOption = False,
) -> None:
    """Show growth, the shape of the week and of the day, when the level changed and who moved it, and who moves now.

    Examples:

      outlay report patterns --tz Europe/Berlin

      outlay report patterns --where team=growth --picture growth.svg
    """
    import json
    from zoneinfo import ZoneInfo

    from outlay.reports.patterns import find_patterns, pattern_picture, pattern_tables
    from outlay.reports.terminal import to_terminal
    from outlay_kit.clock import SystemClock
    from outlay_kit.time_ranges import period_of
    from outlay_reports.cost_query import CostQuery, parse_conditions
    from outlay_reports.periods import parse_zone
    from outlay_reports.renderers import to_json

    with reading() as books:
        now = SystemClock().now()
        span = period_of(now, "month", ZoneInfo("UTC"))
        question = CostQuery(span, parse_zone(tz), (), parse_conditions(where or []), tuple(tenant or ()))
        found = find_patterns(books, question, now)
        sheets = pattern_tables(books, question, found) if found else []
    if picture is not None and found:
        picture.write_text(pattern_picture("What the past shows", question, found), "utf-8")
        err.print(f"drawn: {picture}", style="dim", markup=False)
    if as_json:
        typer.echo(json.dumps({sheet.name: json.loads(to_json(sheet)) for sheet in sheets}))
        return
    if not sheets:
        out.print("there is no whole day of history yet", style="dim")
    for sheet in sheets:
        to_terminal(sheet, out)
        out.print()
