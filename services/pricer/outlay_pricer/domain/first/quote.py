"""What pricing an event comes to, before it is written down."""

from dataclasses import dataclass, field

from outlay_schemas.events import PriceStatus


@dataclass(slots=True)
class Quote:
    """Amounts in pico-USD. `cost` None: nothing of the event could be priced."""

    status: PriceStatus
    ref: str
    cost: int | None = None
    parts: dict[str, int] = field(default_factory=dict)
    unpriced: list[str] = field(default_factory=list)
