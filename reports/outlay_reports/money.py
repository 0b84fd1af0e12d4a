"""Formats money, counts and shares for people, by docs/reports.md; static/chart.js of the console repeats the rule."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from outlay_schemas.money import PICO, Exact

UNPRICED = "unpriced"
"""What is shown for an amount that is not known."""
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)
_CENT = Decimal("0.01")
_CENTS_FROM = Decimal("0.1")
_ROUGH_FROM = 100
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}


def symbol(currency: str) -> str:
    """Return what stands before an amount: `€`, or the code and a no-break space."""
    return _SYMBOLS.get(currency, f"{currency}\N{NO-BREAK SPACE}")


def from_pico(pico: Exact) -> Decimal:
    """Return pico-USD as USD: exact if they are whole, else to 18 places."""
    if isinstance(pico, Fraction):
        return decimal_of(pico / PICO, 18)
    return _WIDE.divide(Decimal(pico), Decimal(PICO))


def dollars(pico: Exact, *, lower_bound: bool = False, sign: bool = False, currency: str = "USD") -> str:
    """Write pico-USD, or as much of another currency, as `usd` writes USD."""
    return usd(from_pico(pico), lower_bound=lower_bound, sign=sign, currency=currency)


def usd(
    amount: Decimal | Fraction | str | None,
    *,
    lower_bound: bool = False,
    sign: bool = False,
    currency: str = "USD",
) -> str:
    """Format USD: cents from 10 cents up, else three digits; None is unpriced, and so is 0 as a lower bound.
    `lower_bound` adds ≥, `sign` a plus; `currency`: the amount is of another currency, and is not converted here."""
    if amount is None or (lower_bound and amount in (0, "0")):
        return UNPRICED
    value = decimal_of(amount, 18) if isinstance(amount, Fraction) else Decimal(amount)
    size = value.copy_abs()
    places = 2
    if 0 < size < _CENTS_FROM:
        places -= size.adjusted()
    text = _cents(size.quantize(Decimal(1).scaleb(-places), context=_WIDE))
    return f"{'≥ ' if lower_bound else ''}{_sign(value, sign)}{symbol(currency)}{text}"


def completeness(unpriced: int, estimated: int, guessed: Exact, currency: str = "USD") -> str:
    """Describe what a total lacks: `41 events unpriced, $3.10 estimated (2 events)`; empty if nothing."""
    doubts = [f"{counted(unpriced, 'event')} unpriced"] if unpriced else []
    doubts += (
        [f"{dollars(guessed, currency=currency)} estimated ({counted(estimated, 'event')})"]
        if estimated
        else []
    )
    return ", ".join(doubts)


def counted(number: int, noun: str) -> str:
    """Write a number of things: `1 event`, `1,200 events`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def about(amount: Decimal | float, currency: str = "USD", *, lower_bound: bool = False) -> str:
    """Format an estimate, such as a forecast: whole dollars from $100 up. `lower_bound` adds ≥."""
    value = Decimal(str(amount))
    if abs(value) < _ROUGH_FROM:
        return usd(value, currency=currency, lower_bound=lower_bound)
    return f"{'≥ ' if lower_bound else ''}{_sign(value, False)}{symbol(currency)}{abs(value):,.0f}"


def exact(amount: Decimal | None, currency: str = "USD") -> str:
    """Write USD with every digit that is not a trailing zero, and with cents at least."""
    if amount is None:
        return UNPRICED
    return f"{_sign(amount, False)}{symbol(currency)}{_cents(amount.copy_abs())}"


def percent(part: Fraction | Decimal | int | None, *, sign: bool = False) -> str:
    """Format a share: `17%`, below 10% with tenths, `3.0%`; a part is never 100%, and some is never 0%."""
    if part is None:
        return ""
    size = abs(Fraction(part))
    if 0 < size * 1000 <= Fraction(1, 2):
        return "<0.1%" if part > 0 else ">-0.1%"
    nearly_all = Fraction(99, 100) < size < 1
    tenths = min(round(size * 1000), 999 if nearly_all else 100)
    if size and (nearly_all or tenths < 100):
        return f"{_sign(part, sign)}{Decimal(tenths) / 10:.1f}%"
    return f"{_sign(part, sign)}{round(size * 100):,}%"


def growth(now: Decimal | int, before: Decimal | int, unpriced_before: int = 0) -> str:
    """Write by how much `now` differs from `before`, in percent; `new` after nothing, and nothing for nothing, or where
    only `unpriced_before` events without a price came before: what they cost is not known."""
    if not before:
        return "new" if now and not unpriced_before else ""
    return percent(share(now - before, before), sign=True)


def share(part: Decimal | Exact, whole: Decimal | Exact) -> Fraction | None:
    """Return what share `part` is of `whole`; None where there is nothing to share."""
    return Fraction(part) / Fraction(whole) if whole else None


def decimal_of(value: Fraction, places: int = 12) -> Decimal:
    """Return a fraction as a decimal of at most `places` places, rounded half to even."""
    scaled = round(value * 10**places)
    return Decimal(scaled).scaleb(-places, _WIDE).normalize(_WIDE)


def plain(value: Decimal) -> str:
    """Write a decimal without exponent and without needless zeros."""
    return f"{value.normalize(_WIDE):f}" if value else "0"


def _cents(size: Decimal) -> str:
    whole, _, places = f"{size:,f}".partition(".")
    return f"{whole}.{places.rstrip('0'):0<2}"


def _sign(value: Decimal | Fraction | int, plus: bool) -> str:
    return "-" if value < 0 else "+" if plus and value else ""
