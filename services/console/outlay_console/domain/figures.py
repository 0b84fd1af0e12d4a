"""Figures as people read them. The books keep all twelve places; a page shows what helps."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

_CENT = Decimal("0.01")


def usd(amount: Decimal | None) -> str:
    """Write an amount: cents from a dollar on, four significant digits below, so that nothing looks free."""
    if amount is None:
        return "not priced"
    sign, size = ("\u2212" if amount < 0 else ""), abs(amount)
    if not size:
        return "$0.00"
    if size >= 1:
        with localcontext() as context:
            context.prec = 60
            return f"{sign}${size.quantize(_CENT, ROUND_HALF_EVEN):,}"
    if size >= _CENT:
        return f"{sign}${size:.4f}"
    text = f"{size:.4g}"
    return f"{sign}${Decimal(text):f}"


def about(amount: Decimal) -> str:
    """Write an amount that is not known to the cent: whole dollars from 100 on."""
    return usd(amount) if abs(amount) < 100 else f"${amount:,.0f}"


def exact(amount: Decimal | None) -> str:
    """Write an amount with every digit that is not a trailing zero, for titles and details."""
    if amount is None:
        return "not priced"
    text = f"{amount:,f}"
    return "$" + (text.rstrip("0").rstrip(".") if "." in text else text)


def count(number: int) -> str:
    """Write a number of things."""
    return f"{number:,}"


def quantity(number: Decimal) -> str:
    """Write a quantity in full, with thousands set off."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def change(now: Decimal, before: Decimal) -> str:
    """Say how `now` differs from `before`, in percent; empty where percent says nothing."""
    if not before:
        return "new" if now else ""
    percent = (now - before) * 100 / before
    if abs(percent) >= 1000:
        return f"{now / before:,.0f}-fold"
    return f"{percent:+.0f} %".replace("-", "\u2212")


def share(part: Decimal, whole: Decimal) -> Decimal:
    """Return `part` of `whole` in percent, 0 of nothing."""
    return part * 100 / whole if whole else Decimal(0)


def ago(at: datetime, now: datetime) -> str:
    """Say how long ago `at` was."""
    past = now - at
    if past < timedelta(seconds=5):
        return "just now"
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        if past.total_seconds() >= length * (2 if unit == "d" else 1):
            return f"{int(past.total_seconds() // length)} {unit} ago"
    return "just now"
