"""Commands that send events in."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from outlay.cli.common import AsJson, CommandError, err, out, print_json, told

FileArgument = Annotated[
    str, typer.Argument(metavar="FILE|-", help="NDJSON, one usage event a line; - reads stdin.")
]


@told
def emit(
    file: FileArgument,
    url: Annotated[str | None, typer.Option(envvar="OUTLAY_URL", help="Where ingest is.")] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="OUTLAY_API_KEY", help="Default: the local stack's key.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=5000, help="Events a request.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Send usage events to ingest and tell what became of each.

    An event that is refused does not hold back the others; it is named with its line and its mend.

    Examples:

      outlay emit usage.ndjson

      tail -f usage.ndjson | outlay emit - --batch 1
    """
    from outlay.client import IngestClient, Sent, batches
    from outlay.local import endpoint
    from outlay_kit.clock import SystemClock

    url, api_key = endpoint(url, api_key)
    sent = Sent()
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        IngestClient(url, api_key, SystemClock()) as client,
        Progress(*columns, console=err, disable=as_json, transient=True) as progress,
    ):
        task = progress.add_task("", total=None)
        for lines in batches(lines_of(file), batch):
            client.send(lines, sent)
            progress.update(task, completed=sent.sent)
    if as_json:
        told_of = [
            {"line": r.index + 1, "code": r.code, "path": r.path, "message": r.message} for r in sent.refused
        ]
        print_json({"sent": sent.sent, "accepted": sent.accepted, "refused": told_of})
    else:
        out.print(f"sent {sent.sent:,}, accepted {sent.accepted:,}, refused {len(sent.refused):,}")
        for refused in sent.refused[:20]:
            err.print(
                f"  event {refused.index + 1}: {refused.path} {refused.message} [{refused.code}]",
                markup=False,
            )
    if sent.refused:
        raise typer.Exit(1)


def lines_of(file: str) -> Iterator[bytes]:
    """Read a file line by line; `-` is stdin. Raises CommandError if there is no such file."""
    if file == "-":
        yield from sys.stdin.buffer
        return
    path = Path(file)
    if not path.is_file():
        raise CommandError(f"{path} is not a file", "give a file of NDJSON usage events, or - for stdin")
    with path.open("rb") as lines:
        yield from lines
