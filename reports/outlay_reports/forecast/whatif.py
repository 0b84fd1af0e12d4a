"""What if prices, growth or the mix of models were others: factors on a forecast, from what was really used."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from outlay_reports.cost_query import Sums
from outlay_reports.errors import QueryError

_HELP = "give price=-20%, growth=+5% (a month), or MODEL>OTHER=50% (of its tokens)"
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*%\Z")


@dataclass(frozen=True)
class ModelSwap:
    """One assumption. `what`: price, growth or mix; `size`: 0.5 is fifty percent."""

    what: str
    size: float
    source: str = ""
    target: str = ""

    def __str__(self) -> str:
        name = f"{self.source} to {self.target}" if self.what == "mix" else self.what
        return f"{name} {self.size:+.0%}" + (" a month" if self.what == "growth" else "")


def parse_model_swap(text: str) -> ModelSwap:
    """Read an assumption. Raises QueryError."""
    name, _, value = text.rpartition("=")
    number = _NUMBER.match(value.strip())
    if not number or not name:
        raise QueryError(f"{text!r} is not an assumption", _HELP)
    size = float(number[1]) / 100
    if ">" in name:
        source, _, target = name.partition(">")
        if not 0 < size <= 1:
            raise QueryError(f"{text!r}: a share is between 0 and 100%", _HELP)
        return ModelSwap("mix", size, source.strip(), target.strip())
    if name.strip() not in ("price", "growth") or size <= -1:
        raise QueryError(f"{text!r} is not an assumption", _HELP)
    return ModelSwap(name.strip(), size)


UnitPrice = Callable[[str, Sums], Fraction]
"""What a model charges for usage such as this, pico-USD a token. Raises QueryError where it has no price."""


def factors(
    changes: Sequence[ModelSwap], models: Mapping[str, Sums], days: Sequence[float], unit_price: UnitPrice
) -> list[float]:
    """Return the daily factors of the forecast. Raises QueryError for an unused source or an unpriced target."""
    flat, monthly = 1.0, 1.0
    for change in changes:
        if change.what == "growth":
            monthly *= 1 + change.size
        else:
            flat *= 1 + change.size if change.what == "price" else _mixed(change, models, unit_price)
    return [flat * monthly ** (day / 30.4375) for day in days]


def _mixed(change: ModelSwap, models: Mapping[str, Sums], unit_price: UnitPrice) -> float:
    """Return the factor of moving a share of one model's tokens to another, at what a token of each comes to cost."""
    source = _unit(change.source, models)
    if source is None:
        known = ", ".join(sorted(name for name in models if _unit(name, models)))
        raise QueryError(f"{change.source} has no priced tokens in this time", f"use one of {known}")
    used = models[change.source]
    target = _unit(change.target, models) or unit_price(change.target, used)
    part = Fraction(used.cost, sum(sums.cost for sums in models.values()))
    return float(1 - part * Fraction(change.size) * (1 - target / source))


def _unit(model: str, models: Mapping[str, Sums]) -> Fraction | None:
    """Return what a token came to cost, in pico-USD; None: no priced tokens were used."""
    sums = models.get(model, Sums())
    return Fraction(sums.cost) / Fraction(sums.tokens) if sums.tokens and sums.cost else None
