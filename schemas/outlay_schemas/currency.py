"""Reporting currencies: exact USD, converted at the rate of each event's own day. USD stays the currency of record.

Pure. A conversion multiplies by the value of one USD to 30 places, so every sum of converted amounts is exact, and the
same over any split of a time range. Only what is shown is rounded, once, to 12 places, half to even.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from outlay_schemas.catalog.terms import FxRate

FACTOR_PLACES = 30
"""Decimal places of the value of one USD."""
_WIDE = Context(prec=76, rounding=ROUND_HALF_EVEN)
_PICO = Decimal("1e-12")
_NONE = timedelta()


class NoRateError(Exception):
    """An amount has no exchange rate on its day."""

    hint = "add the rate to fx.yaml and publish the catalog, or report in USD"


class Segment(NamedTuple):
    """A part of a time range with one exchange rate."""

    start: datetime
    end: datetime
    factor: Decimal | None
    """What one USD is worth in the currency; None: the catalog does not say."""


@dataclass(frozen=True)
class Currency:
    """A currency to report in, with the dated rates of the catalog (`fx.yaml`)."""

    code: str = "USD"
    rates: "Sequence[FxRate]" = ()

    def __post_init__(self) -> None:
        own = tuple(rate for rate in self.rates if rate.currency == self.code)
        object.__setattr__(self, "rates", own)

    @property
    def sources(self) -> list[str]:
        """Where the rates come from, each once."""
        return list(dict.fromkeys(rate.source for rate in self.rates if rate.source))

    def usd(self, at: datetime) -> Fraction | None:
        """Return what one unit is worth in USD at a time; None: the catalog does not say."""
        if self.code == "USD":
            return Fraction(1)
        return next((Fraction(rate.usd) for rate in self.rates if rate.active(at)), None)

    def lasting_usd(self, at: datetime) -> Fraction:
        """Return what one unit is worth in USD by the rate in force, or else by the one nearest in time.

        For limits: they must hold at any time, and a sum of money must not be converted so. Raises NoRateError without
        any rate.
        """
        now = self.usd(at)
        if now is not None:
            return now
        if not self.rates:
            raise NoRateError(self.missing([f"on {at:%Y-%m-%d}"]))
        nearest = min(
            self.rates,
            key=lambda r: max(r.starts - at if r.starts else _NONE, at - r.ends if r.ends else _NONE),
        )
        return Fraction(nearest.usd)

    def factor(self, at: datetime) -> Decimal | None:
        """Return what one USD is worth at a time, to 30 places; None: the catalog does not say."""
        usd = self.usd(at)
        if usd is None:
            return None
        return Decimal(round(10**FACTOR_PLACES / usd)).scaleb(-FACTOR_PLACES, _WIDE)

    def segments(self, start: datetime, end: datetime) -> list[Segment]:
        """Return the parts of a time range that have one rate each, in order; neighbours differ."""
        changes = {at for rate in self.rates for at in (rate.starts, rate.ends) if at and start < at < end}
        found: list[Segment] = []
        for low, high in pairwise(sorted({start, end, *changes})):
            factor = self.factor(low)
            if found and found[-1].factor == factor:
                found[-1] = found[-1]._replace(end=high)
            else:
                found.append(Segment(low, high, factor))
        return found

    def convert(self, usd: Decimal, at: datetime) -> Decimal:
        """Return an amount of USD in this currency at the rate of a time, to 12 places. Raises NoRateError."""
        if self.code == "USD":
            return usd
        factor = self.factor(at)
        if factor is None:
            raise NoRateError(self.missing([f"on {at:%Y-%m-%d}"]))
        return rounded(_WIDE.multiply(usd, factor))

    def missing(self, when: Iterable[str]) -> str:
        """Return what is wrong where money has no rate at some times."""
        return f"no exchange rate for {self.code} {' and '.join(when)}"


def rounded(amount: Decimal) -> Decimal:
    """Return a converted amount to 12 places."""
    return amount.quantize(_PICO, context=_WIDE)


USD = Currency()
