"""How money and shares are shown to people. What machines read is exact: `outlay_schemas.money.to_usd`."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from outlay_schemas.money import to_usd

_WIDE = Context(prec=60)
_CENT = 10**10


def dollars(pico: int, *, lower_bound: bool = False, sign: bool = False) -> str:
    """Write pico-USD for people: $1,234.56; what is less than a cent with two digits that count.

    `lower_bound` marks an amount that some events could not be priced for; `sign` shows a plus too.
    """
    mark = "≥ " if lower_bound else ""
    before = "-" if pico < 0 else "+" if sign and pico else ""
    size = abs(pico)
    if size >= _CENT or not size:
        text = f"{_half_even(size, _CENT) / Decimal(100):,.2f}"
    else:
        text = _significant(Decimal(to_usd(size)), 2)
    return f"{mark}{before}${text}"


def rate(usd: Fraction) -> str:
    """Write USD for one unit, such as a request, for people: three digits that count, or cents if it is more."""
    if abs(usd) >= 10 or not usd:
        return dollars(round(usd * 10**12))
    return f"${_significant(decimal_of(usd, 18), 3)}"


def _significant(value: Decimal, digits: int) -> str:
    places = max(digits - 1 - value.adjusted(), 0)
    return f"{round(value, places):.{places}f}"


def _half_even(value: int, step: int) -> Decimal:
    return (Decimal(value) / step).quantize(Decimal(1), ROUND_HALF_EVEN, _WIDE)


def percent(part: Fraction | None, *, sign: bool = False) -> str:
    """Write a share of one as a percentage with a decimal; nothing for None."""
    if part is None:
        return ""
    tenths = round(part * 1000)
    if not tenths and part:
        return "<0.1 %" if part > 0 else ">-0.1 %"
    return f"{tenths / Decimal(10):{'+' if sign and tenths else ''},.1f} %"


def share(part: int, whole: int) -> Fraction | None:
    """Return what share `part` is of `whole`; None where there is nothing to share."""
    return Fraction(part, whole) if whole else None


def decimal_of(value: Fraction, places: int = 12) -> Decimal:
    """Return a fraction as a decimal of at most `places` places, rounded half to even."""
    scaled = round(value * 10**places)
    return Decimal(scaled).scaleb(-places, _WIDE).normalize(_WIDE)


def plain(value: Decimal) -> str:
    """Write a decimal without exponent and without needless zeros."""
    return f"{value.normalize(_WIDE):f}" if value else "0"
