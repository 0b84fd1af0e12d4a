"""Prices of a model or SKU as people read them: pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, Protocol

from outlay_kit.time_ranges import TimeRange

_MILLION = 1_000_000
_LABELS = {
    "input_tokens": "Input", "output_tokens": "Output", "cache_read_tokens": "Cached input",
    "cache_write_tokens": "Cache write", "cache_write_1h_tokens": "Cache write, 1 h",
}  # fmt: skip
_UNITS = {
    ("seconds", 3600): "per hour", ("seconds", 60): "per minute", ("seconds", 1): "per second",
}  # fmt: skip


@dataclass(frozen=True)
class ExactPrice:
    """One price, for programs: `price` in `currency` for each `per` of `meter`, for counts (or input tokens) above
    `above`. Decimals in text, as the catalog has them."""

    meter: str
    price: str
    per: str
    currency: str = "USD"
    above: str = "0"


@dataclass(frozen=True)
class Price:
    """One price, for people: `Input`, `$1.25`, `per million tokens`."""

    label: str
    amount: str
    unit: str
    note: str = ""
    exact: ExactPrice | None = field(default=None, compare=False)
    """The same for programs. $1 for 1,000 and $1,000 for 1,000,000 are the same price."""


@dataclass(frozen=True)
class PriceSet:
    """Prices that hold together, and where they come from."""

    book: str
    version: str
    when: tuple[str, ...]
    """For which events; any of these conditions. Empty: for all."""
    prices: tuple[Price, ...]
    source: str = ""
    checked: str = ""
    since: str = ""
    until: str = ""
    guesses: tuple[str, ...] = ()
    reason: str = ""
    """The reason for a missing price."""


@dataclass(frozen=True)
class PricesAt:
    """The prices from a moment on. `sets`: in the order in which they are tried."""

    at: datetime | None
    """None: before the first known moment."""
    sets: Sequence[PriceSet]


@dataclass(frozen=True)
class WhatIf:
    """What usage cost, and would have cost otherwise, USD. Both leave out what has no price then."""

    provider: str
    sku: str
    book: str = ""
    """The price book that comes first; empty: as published."""
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)
    events: int = 0
    left_out: int = 0
    """Events without a price then."""
    check: str = ""
    """What to make sure of first."""


Rows = Callable[[str, Mapping[str, object]], Sequence[Mapping[str, Any]]]
"""Asks ClickHouse."""


class PriceList(Protocol):
    """The catalog's prices by name, as far as they concern a tenant. Every method blocks."""

    def search(self, tenant: str, text: str) -> Sequence[tuple[str, str]]:
        """Return provider and SKU of what matches a text, the best match first."""

    def prices(
        self, tenant: str, provider: str, sku: str, at: datetime, revision: int = 0
    ) -> Sequence[PriceSet]:
        """Return the prices of a SKU in force at `at`, by the newest catalog or by a revision. Raises Retryable, and
        LookupError for a revision that cannot be read any more."""

    def dates(self, tenant: str, provider: str, sku: str) -> Sequence[datetime]:
        """Return when the prices of a SKU change by the newest catalog, the newest first. Raises Retryable."""

    def what_if(
        self, rows: Rows, tenant: str, names: tuple[str, str], span: TimeRange, chosen: tuple[str, str, str]
    ) -> Sequence[WhatIf]:
        """Return what the usage of a provider and SKU in `span` would have cost with its alternatives, and with what
        was chosen: provider, SKU and price book, each of which may be empty. Raises Retryable."""


def readable(
    meter: str, price: str, per: str, *, currency: str = "USD", above: str = "0", note: str = ""
) -> Price:
    """Write a price for people: of tokens by the million, of seconds by the hour where that is how it is priced."""
    amount, count = Decimal(price), Decimal(per)
    what, _, last = meter.rpartition("_")
    notes = (
        [] if above == "0" else [f"above {Decimal(above):,f}" + " input tokens" * (note == "by input tokens")]
    )
    notes += [note] if note and note != "by input tokens" else []
    label, unit = _label(what or meter), _UNITS.get((last, int(count)))
    if last == "tokens":
        amount, unit = amount * _MILLION / count, "per million tokens"
        label = _LABELS.get(meter, label)
    elif unit is None:
        label = _label(meter)
        unit = f"per {count:,f}" if count != 1 else "each"
    exact = ExactPrice(meter, price, per, currency, above)
    return Price(label, money(amount, currency), unit, "; ".join(notes), exact)


def _label(meter: str) -> str:
    return meter.replace("_", " ").capitalize().replace("Gb", "GB")


def money(amount: Decimal, currency: str = "USD") -> str:
    """Write a price in full: it may be far below a cent."""
    text = f"{amount.normalize():f}"
    whole, _, rest = text.partition(".")
    text = f"{int(whole):,}.{rest.ljust(2, '0')}" if rest else f"{int(whole):,}"
    return f"${text}" if currency == "USD" else f"{currency} {text}"


def joined(sets: Iterable[PriceSet]) -> list[PriceSet]:
    """Return the sets with those of the same prices from the same list as one: it holds in either condition, and where
    one of them has no condition, in all."""
    found: dict[tuple[object, ...], PriceSet] = {}
    for one in sets:
        key = (replace(one, when=()),)
        known = found.get(key)
        if known is None:
            found[key] = one
        elif known.when:
            found[key] = replace(known, when=(*known.when, *one.when) if one.when else ())
    return list(found.values())


def conditions_of(words: Mapping[str, Sequence[str]]) -> str:
    """Write the conditions of a price: `region us-east-1, lease spot`."""
    return ", ".join(
        f"{name.replace('_', ' ')} {' or '.join('any' if one == '*' else one for one in values)}"
        for name, values in words.items()
    )


def changed(history: Sequence[PricesAt]) -> list[PricesAt]:
    """Return what of a history, the newest first, changed a price, each with the sets that it changed; the oldest
    whole. Without sets: some prices ended."""
    found = []
    for now, before in pairwise(history):
        old, new = ({(one.book, one.when, one.prices): one for one in each.sets} for each in (before, now))
        if old.keys() != new.keys():
            found.append(PricesAt(now.at, [one for figures, one in new.items() if figures not in old]))
    return [*found, *history[-1:]]
