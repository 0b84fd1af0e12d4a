"""Usage as producers count it, brought to one way of counting: totals that include their parts.

What is done here is either certain (an alias, the sum of the two cache TTLs) or declared by the producer in the
attribute `usage_convention`. Nothing is inferred from the size of numbers: numbers that contradict each other are
refused, by name.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from operator import attrgetter
from zlib import crc32

import msgspec

from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Quantity, UsageEvent
from outlay_schemas.validate import whole_tokens

CONVENTION = "usage_convention"
INPUT_EXCLUDES_CACHE = "input_excludes_cache"
"""Anthropic's own counting: input_tokens are those neither read from nor written to a cache."""
OUTPUT_EXCLUDES_REASONING = "output_excludes_reasoning"
"""Gemini's own counting: thoughts are not among the candidates' tokens."""

ALIASES: Mapping[str, str] = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "cached_tokens": "cache_read_tokens",
    "cached_input_tokens": "cache_read_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_creation_tokens": "cache_write_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "cache_write_input_tokens": "cache_write_tokens",
    "ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "reasoning_tokens": "output_reasoning_tokens",
    "thinking_tokens": "output_reasoning_tokens",
    "web_search_requests": "web_searches",
}
"""Spellings of OpenAI, Anthropic, OpenTelemetry and gateways."""
TOTAL = "total_tokens"
TTLS = ("cache_write_5m_tokens", "cache_write_1h_tokens")
CACHE_WRITES = "cache_write_tokens"
_CONVENTIONS = {
    INPUT_EXCLUDES_CACHE: ("input_tokens", "cache_read_tokens", CACHE_WRITES),
    OUTPUT_EXCLUDES_REASONING: ("output_tokens", "output_reasoning_tokens"),
}
"""A total as everyone else counts it is the sum of these: that meter, and what the convention counts outside."""


def normalise(
    usage: Mapping[str, Quantity], convention: str = "", aliases: Mapping[str, str] = ALIASES
) -> tuple[dict[str, Quantity], tuple[str, ...]]:
    """Return usage whose totals include their parts, and what was derived.

    Raises Invalid: `usage_contradictory` if two spellings or a total disagree, `usage_fractional` for a part of a
    token, `usage_convention` for a convention that is none.
    """
    result = _unalias(usage, aliases)
    derived: list[str] = []
    ttls = [result[name] for name in TTLS if name in result]
    if ttls and CACHE_WRITES not in result:
        result[CACHE_WRITES] = _sum(ttls)
        derived.append("cache_write_total")
    elif len(ttls) == len(TTLS) and result[CACHE_WRITES] != _sum(ttls):
        raise Invalid(
            "usage_contradictory",
            f"{CACHE_WRITES} is {result[CACHE_WRITES]}, but its 5 minute and 1 hour parts add up to {_sum(ttls)}",
            f"$.usage.{CACHE_WRITES}",
        )
    for word in dict.fromkeys(convention.replace(",", " ").split()):
        if word not in _CONVENTIONS:
            known = " or ".join(_CONVENTIONS)
            message = f"{word!r} is not a usage convention; use {known}"
            raise Invalid("usage_convention", message, f"$.attributes.{CONVENTION}")
        total, *_ = meters = _CONVENTIONS[word]
        result[total] = _sum([result.get(meter, 0) for meter in meters])
    _check_total(result)
    return result, tuple(derived)


def _unalias(usage: Mapping[str, Quantity], aliases: Mapping[str, str]) -> dict[str, Quantity]:
    result: dict[str, Quantity] = {}
    for name, value in usage.items():
        meter = aliases.get(name, name)
        if isinstance(value, Decimal) and meter.endswith("_tokens"):
            value = whole_tokens(meter, value)  # noqa: PLW2901 - a token count is whole from here on
        if meter in result and result[meter] != value:
            raise Invalid(
                "usage_contradictory",
                f"{meter} is given twice, as {result[meter]} and as {value} ({name})",
                f"$.usage.{name}",
            )
        result[meter] = value
    return result


def _check_total(usage: dict[str, Quantity]) -> None:
    """Drop a total that is the sum of input and output; refuse one that is not."""
    total = usage.get(TOTAL)
    if total is None or "input_tokens" not in usage:
        return
    parts = _sum([usage["input_tokens"], usage.get("output_tokens", 0)])
    if total != parts:
        raise Invalid(
            "usage_contradictory",
            f"total_tokens is {total}, but input_tokens and output_tokens add up to {parts}; "
            f"if parts are counted outside, say so in attributes.{CONVENTION}",
            "$.usage.total_tokens",
        )
    del usage[TOTAL]


def contradiction(usage: Mapping[str, Quantity], parts: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """Return a part that is larger than its whole, and that; None if no part is. `parts` are pairs of meters."""
    for part, whole in parts:
        if usage[part] > usage[whole]:
            return part, whole
    return None


def _sum(values: list[Quantity]) -> int:
    return sum(int(value) for value in values)  # token counts: whole since `_unalias`


canonical = msgspec.json.Encoder(order="deterministic").encode
"""Write an event as JSON that depends on its content alone: keys of maps are sorted."""
owners = attrgetter(*OWNERS)
"""The dimensions of an event that say whose it is, in the order of the table."""


def fingerprint(event: UsageEvent) -> int:
    """Return 20 bits of an event's content: CRC-32 of its encoding with sorted keys. Decides between two bodies.

    Two spellings of one number (0.50 and 0.5), and an empty dimension and none, are one content: an event that comes
    back from the ledger to be priced again is the same event, not a conflict. The activity `other` was the default of
    0.1.0, which left it out.
    """
    return mark_of(canonical(spelt(event)))


def mark_of(content: bytes) -> int:
    """Return the fingerprint of an event by what `canonical` wrote of it as it is `spelt`."""
    return crc32(content) & 0xFFFFF


def spelt(event: UsageEvent) -> UsageEvent:
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
