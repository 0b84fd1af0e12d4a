"""The fingerprint of a usage event: 20 bits of its content, the same for each way of writing it."""

from decimal import Decimal
from operator import attrgetter
from zlib import crc32

import msgspec

from outlay_schemas.dimensions import OWNERS
from outlay_schemas.events import Quantity, UsageEvent

_canonical = msgspec.json.Encoder(order="deterministic")
owners = attrgetter(*OWNERS)
"""The dimensions of an event that say whose it is, in the order of the table."""


def fingerprint(event: UsageEvent) -> int:
    """Return 20 bits of an event's content: CRC-32 of its encoding with sorted keys. Decides between two bodies.

    Two spellings of one number (0.50 and 0.5), and an empty dimension and none, are one content: an event that comes
    back from the ledger to be priced again is the same event, not a conflict. The activity `other` was the default of
    0.1.0, which left it out.
    """
    return crc32(_canonical.encode(_spelt(event))) & 0xFFFFF


def _spelt(event: UsageEvent) -> UsageEvent:
    """Return the event in its one spelling: itself, where that is so already, as it nearly always is."""
    odd = event.reported_cost is not None or "" in owners(event) or event.activity == "other"
    if not odd:
        for quantity in event.usage.values():
            if quantity.__class__ is not int:
                break
        else:
            return event
    reported = event.reported_cost
    return msgspec.structs.replace(
        event,
        usage={meter: plain_number(quantity) for meter, quantity in event.usage.items()},
        reported_cost=None if reported is None else reported.normalize(),
        activity=None if event.activity == "other" else event.activity,
        **{name: value or None for name, value in zip(OWNERS, owners(event), strict=True)},
    )


def plain_number(quantity: Quantity) -> Quantity:
    """Return a quantity in its one spelling: whole numbers as int, others without zeros at their end."""
    if quantity.__class__ is int:
        return quantity
    number = Decimal(quantity)
    whole = int(number)
    return whole if whole == number else number.normalize()
