"""The command that sends events, and how files of events are read."""

import codecs
import io
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from msgspec import structs
from typer import Option

from outlay.catalog.load import load_default
from outlay.catalog.offline import Refused
from outlay.cli.options import AsJson, EventsFile, Ingest
from outlay.cli.output import CommandError, line, note, print_json, warn
from outlay.cli.progress import progress_bar
from outlay.client import IngestClient, Sent, batches
from outlay.local.state import endpoint
from outlay_ingest.domain.usage_fields import METERS
from outlay_kit.clock import SystemClock

T = TypeVar("T")
_SHOWN = 20
_METERS = frozenset(METERS.values())


def emit(
    file: EventsFile,
    *,
    ingest: Ingest,
    batch: Annotated[int, Option(min=1, max=5000, help="Events per request.")] = 500,
    as_json: AsJson = False,
) -> None:
    """Send usage events to ingest, and show how many were accepted and why others were refused.

    A refused event does not hold back the others; it is shown with its position and how to fix it.

    Examples:

        outlay emit usage.ndjson
        tail -f usage.ndjson | outlay emit - --batch 1
    """
    sent, meters = Sent(), Meters()
    with (
        IngestClient(*endpoint(ingest.url, ingest.api_key), SystemClock()) as client,
        progress_bar("sending", "count", as_json) as (progress, task),
    ):
        try:
            for lines in batches(meters.watch(events_of(lines_of(file))), batch):
                client.send(lines, sent)
                progress.update(task, completed=sent.sent)
        finally:  # what was sent before an interruption or an error counts too
            progress.stop()
            _show(sent, as_json)
            meters.warn()
    if sent.refused:
        raise typer.Exit(1)


def _show(sent: Sent, as_json: bool) -> None:
    if as_json:
        refused = [
            {"line": r.index + 1, "code": r.code, "path": r.path, "message": r.message} for r in sent.refused
        ]
        print_json({"sent": sent.sent, "accepted": sent.accepted, "refused": refused})
        return
    line(f"sent {sent.sent:,}, accepted {sent.accepted:,}, refused {len(sent.refused):,}")
    for one in sent.refused[:_SHOWN]:
        note(f"  event {one.index + 1}: {one.path} {one.message} [{one.code}]")
    if len(sent.refused) > _SHOWN:
        note(f"  … and {len(sent.refused) - _SHOWN:,} more; --json has all")


class Refusals:
    """Prints on stderr the lines that are not valid usage events, and counts them."""

    def __init__(self, as_json: bool) -> None:
        self.count = 0
        self._as_json = as_json

    def sift(self, answers: Iterable[T | Refused]) -> Iterator[T]:
        """Pass on the valid ones."""
        for answer in answers:
            if not isinstance(answer, Refused):
                yield answer
                continue
            self.count += 1
            typer.echo(json.dumps(structs.asdict(answer)) if self._as_json else str(answer), err=True)


class _Usage(msgspec.Struct):
    usage: dict[str, msgspec.Raw] = {}


class Meters:
    """The meters of events that are probably misspelt: any meter is accepted, but has no price."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._decoder = msgspec.json.Decoder(_Usage)

    def watch(self, events: Iterable[bytes]) -> Iterator[bytes]:
        """Pass events on, and note their meters."""
        for event in events:
            with suppress(msgspec.MsgspecError):  # such an event is refused where it is read
                self._seen.update(self._decoder.decode(event).usage)
            yield event

    def warn(self) -> None:
        """Warn on stderr of each meter without a price whose name is almost that of a known one."""
        if not self._seen - _METERS:
            return
        catalog = load_default()
        rules = [rule for book in catalog.price_books for rule in book.rules]
        known = _METERS | {meter for rule in rules for dated in rule.prices for meter in dated.meters}
        known |= set(catalog.rates.units) if catalog.rates else set()
        for meter in sorted(self._seen - known):
            if near := get_close_matches(meter, known, 1, 0.85):
                warn(f'meter "{meter}" has no price; did you mean "{near[0]}"?')


def events_of(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield one event a line, also from a file that is one JSON array or one indented event (only that is read whole).
    Raises CommandError for a JSON document that is not valid."""
    rest = iter(lines)
    head: list[bytes] = []
    for text in rest:
        head.append(text if head else text.removeprefix(codecs.BOM_UTF8))
        if text.strip():
            break
    start = head[-1].strip() if head else b""
    if not (start.startswith(b"[") or start == b"{"):
        yield from head  # with blank lines, so that line numbers are right
        yield from rest
        return
    try:
        whole = b"".join([*head, *rest])
        found = msgspec.json.decode(whole if start != b"{" else b"[%b]" % whole, type=list[msgspec.Raw])
    except msgspec.MsgspecError as error:
        hint = "send one event a line (jq -c . FILE), or one JSON array of events"
        raise CommandError(f"this is not one valid JSON document: {error}", hint) from None
    for event in found:
        yield msgspec.json.format(bytes(event), indent=-1)


def lines_of(file: str) -> Iterator[bytes]:
    """Read a file line by line; `-` is stdin. Raises CommandError if the file does not exist."""
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
    with path.open("rb") as opened:
        yield from opened
