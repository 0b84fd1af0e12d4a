"""Prices usage events without a stack: what `outlay price FILE` does."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from msgspec import Struct

from outlay_ingest.domain.rejections import explain
from outlay_pricer.record_pricing import admit
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import UsageEvent, usage_event_decoder

T = TypeVar("T")
_BOM = b"\xef\xbb\xbf"  # what some editors put before the first line of a file


class Refused(Struct, frozen=True):
    """A line without a price because it is not a valid usage event: the stack would make it a dead letter."""

    line: int  # from 1, as editors count
    code: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path}: {self.message} [{self.code}]"


def price_lines(
    lines: Iterable[bytes], price: Callable[[UsageEvent], T], at: datetime | None = None
) -> Iterator[T | Refused]:
    """Price usage events given as NDJSON by `price`, as if at `at`: one answer a line, in order, none for empty lines.
    The checks are the pricer's, but for the tenant: it is what a line says, as offline no API key says it."""
    for number, raw in enumerate(lines, 1):
        text = raw.removeprefix(_BOM) if number == 1 else raw
        if text.isspace() or not text:
            continue
        try:
            event = usage_event_decoder.decode(text)
            admit(event)
            event.time = at or event.time
            answer = price(event)
        except (*UNREADABLE, Invalid) as error:
            why = explain(error, text)
            yield Refused(number, why.code, why.path, why.message)
        else:
            yield answer


def read_lines(lines: Iterable[bytes], at: datetime | None = None) -> Iterator[UsageEvent | Refused]:
    """Read usage events given as NDJSON; `at` takes the place of their times."""
    return price_lines(lines, lambda event: event, at)
