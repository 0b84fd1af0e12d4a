"""Commands that send events in."""

import codecs
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from outlay.cli.common import AsJson, CommandError, err, friendly_errors, out, print_json

if TYPE_CHECKING:
    from outlay.client import Sent

FileArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE|-", help="NDJSON, one usage event a line, or one JSON array; - reads stdin."
    ),
]


@friendly_errors
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
    from outlay.client import IngestClient, Sent, batches, timely
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
        try:
            cut = timely if file == "-" else batches
            for lines in cut(events_of(lines_of(file)), batch):
                client.send(lines, sent)
                progress.update(task, completed=sent.sent)
        finally:  # also of what was sent before an interruption or an error one wants to know
            progress.stop()
            _tell(sent, as_json)
    if sent.refused:
        raise typer.Exit(1)


def _tell(sent: "Sent", as_json: bool) -> None:
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


def events_of(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Give one event a line, also of a file that is one JSON array or one indented event, as exports and editors write.

    Such a file is read whole; NDJSON is not. Raises CommandError if what looks like JSON is none.
    """
    rest = iter(lines)
    head: list[bytes] = []
    for line in rest:
        head.append(line if head else line.removeprefix(codecs.BOM_UTF8))
        if line.strip():
            break
    start = head[-1].strip() if head else b""
    if not (start.startswith(b"[") or start == b"{"):
        yield from head  # blank lines too: lines are counted by whoever reads them
        yield from rest
        return
    try:
        whole = b"".join([*head, *rest])
        found = msgspec.json.decode(whole if start != b"{" else b"[%b]" % whole, type=list[msgspec.Raw])
    except msgspec.MsgspecError as error:
        raise CommandError(
            f"this begins as one JSON document, and is none: {error}",
            "send one event a line (jq -c . FILE), or one JSON array of events",
        ) from None
    for event in found:
        yield msgspec.json.format(bytes(event), indent=-1)


def lines_of(file: str) -> Iterator[bytes]:
    """Read a file line by line; `-` is stdin. Raises CommandError if there is no such file."""
    if file == "-":
        try:
            # Not sys.stdin itself: Python aborts at its end if a thread still waits in that.
            opened = open(sys.stdin.fileno(), "rb", closefd=False)  # noqa: SIM115
        except io.UnsupportedOperation:
            yield from sys.stdin.buffer
        else:
            yield from opened
        return
    path = Path(file)
    if not path.is_file():
        raise CommandError(f"{path} is not a file", "give a file of NDJSON usage events, or - for stdin")
    with path.open("rb") as lines:
        yield from lines
