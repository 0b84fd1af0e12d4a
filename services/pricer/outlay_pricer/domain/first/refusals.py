"""Why usage is refused, in the words of genai-prices. Slow on purpose: it runs only for events that are refused."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

from outlay_pricer.domain.first.cards import INPUT, Card
from outlay_pricer.domain.first.units import REQUESTS, Unit
from outlay_schemas.events import Quantity


class _Refused(Exception):
    def __init__(self, meter: str, message: str) -> None:
        super().__init__(message)
        self.meter = meter
        self.message = message


def refusal(card: Card, usage: Mapping[str, Quantity]) -> tuple[str, str]:
    """Say which meter contradicts the others, and how."""
    reported = {key: value for key, value in usage.items() if key in card.units.reported}
    try:
        _check_counts(card, reported)
        if card.tiered:
            _value(card, reported, INPUT)
    except _Refused as refused:
        return refused.meter, refused.message
    return "", "the quantities contradict each other"


def _check_counts(card: Card, reported: Mapping[str, Quantity]) -> None:
    priced = sorted(
        (rate.unit for rate in card.rates if rate.unit.usage_key != REQUESTS),
        key=lambda unit: (-len(unit.dimensions), unit.usage_key),
    )
    own: dict[str, Fraction] = {}
    for unit in priced:
        inside = [other for other in priced if other is not unit and unit.contains(other)]
        count = Fraction(_value(card, reported, unit.usage_key)) - sum(
            own[other.usage_key] for other in inside
        )
        if count < 0:
            raise _negative(card, reported, unit, inside, count)
        own[unit.usage_key] = count


def _negative(
    card: Card, reported: Mapping[str, Quantity], unit: Unit, inside: Iterable[Unit], count: Fraction
) -> _Refused:
    total = _value(card, reported, unit.usage_key)
    values = [
        (other.usage_key, value) for other in inside if (value := _value(card, reported, other.usage_key))
    ]
    for key, value in values:
        if value > total:
            text = f"Invalid usage data: {key} ({value}) cannot exceed {unit.usage_key} ({total})"
            return _Refused(key, text)
    keys = ", ".join(key for key, _ in values)
    excess = Fraction(total) - count
    return _Refused(
        unit.usage_key,
        f"Invalid usage data: more-specific usage for {keys} totals {_plain(excess)}, "
        f"which exceeds {unit.usage_key} ({total})",
    )


def _plain(amount: Fraction) -> str:
    return str(Decimal(amount.numerator) / Decimal(amount.denominator))


def _value(card: Card, reported: Mapping[str, Quantity], key: str) -> Quantity:
    """Return a reported count, 0 if nothing inside it was reported. Raises `_Refused` otherwise."""
    if key in reported:
        return reported[key]
    wanted = card.units.by_usage[key]
    given = [card.units.by_usage[name] for name, value in reported.items() if value > 0]
    inside = sorted(unit.usage_key for unit in given if unit is not wanted and wanted.contains(unit))
    if inside:
        raise _Refused(
            key,
            f"Missing usage for {key}: reported descendant usage keys {', '.join(inside)} require explicit {key}",
        )
    pair = _overlap(wanted, sorted(given, key=lambda unit: unit.usage_key))
    if pair:
        raise _Refused(
            key,
            f"Missing usage for {key}: reported overlapping usage keys {', '.join(pair)} require explicit {key}",
        )
    return 0


def _overlap(wanted: Unit, given: list[Unit]) -> tuple[str, str] | None:
    for index, first in enumerate(given):
        for second in given[index + 1 :]:
            apart = not first.contains(second) and not second.contains(first)
            if apart and first.overlaps(second) and wanted.dimensions == first.dimensions | second.dimensions:
                return first.usage_key, second.usage_key
    return None
