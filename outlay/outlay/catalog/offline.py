"""Prices usage events without a stack: what `outlay price FILE` does."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from outlay_ingest.domain.refusals import explain
from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.errors import Invalid
from outlay_schemas.events import CostEvent, usage_event_decoder
from outlay_schemas.validate import check_usage_event


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that has no price because it is no valid usage event: the stack would make it a dead letter."""

    line: int
    """From 1, as editors count."""
    code: str
    message: str
    path: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path}: {self.message} [{self.code}]"


def price_lines(
    lines: Iterable[bytes], catalog: CompiledCatalog, at: datetime | None = None
) -> Iterator[CostEvent | Refused]:
    """Price usage events given as NDJSON, one answer a line, in order; empty lines are passed over.

    `at` prices every event as if it had happened then. The same checks as at the door apply; the tenant of an event
    is what its line says, for offline there is no API key to take it from.
    """
    decode = usage_event_decoder.decode
    for number, raw in enumerate(lines, 1):
        if raw.isspace() or not raw:
            continue
        try:
            event = decode(raw)
            check_usage_event(event)
            if at is not None:
                event.time = at
            yield price(event, catalog)
        except (Invalid, msgspec.MsgspecError) as error:
            why = explain(error, raw)
            yield Refused(number, why.code, why.message, why.path)
