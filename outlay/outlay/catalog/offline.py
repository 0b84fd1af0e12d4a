"""Prices usage events without a stack: what `outlay price FILE` does."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from outlay_ingest.domain.rejections import explain
from outlay_pricer.record_pricing import admit
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import CostEvent, UsageEvent, usage_event_decoder

_BOM = b"\xef\xbb\xbf"
"""What some editors put before the first line of a file."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A line without a price because it is not a valid usage event: the stack would make it a dead letter."""

    line: int
    """From 1, as editors count."""
    code: str
    message: str
    path: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path}: {self.message} [{self.code}]"


def price_lines(
    lines: Iterable[bytes], price: Callable[[UsageEvent], CostEvent], at: datetime | None = None
) -> Iterator[CostEvent | Refused]:
    """Price usage events given as NDJSON by `price`, one answer a line, in order; empty lines are passed over.

    `at` prices every event as if it had happened then. The same checks as in the pricer apply, but for the tenant:
    it is what a line says, if anything, because offline no API key exists to take it from.
    """
    for event in read_lines(lines, at):
        if isinstance(event, Refused):
            yield event
            continue
        number, usage = event
        try:
            yield price(usage)
        except Invalid as why:
            yield Refused(number, why.code, why.message, why.path)


def read_lines(
    lines: Iterable[bytes], at: datetime | None = None
) -> Iterator[tuple[int, UsageEvent] | Refused]:
    """Read usage events given as NDJSON, each with the number of its line; `at` takes the place of their times."""
    decode = usage_event_decoder.decode
    for number, raw in enumerate(lines, 1):
        text = raw.removeprefix(_BOM) if number == 1 else raw
        if text.isspace() or not text:
            continue
        try:
            event = decode(text)
            admit(event)
        except (*UNREADABLE, Invalid) as error:
            why = explain(error, text)
            yield Refused(number, why.code, why.message, why.path)
        else:
            if at is not None:
                event.time = at
            yield number, event
