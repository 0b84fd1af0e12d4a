"""Exact money: whole pico-USD (1e-12 USD) inside, a plain decimal string outside, and a float nowhere."""

from decimal import Context, Decimal
from fractions import Fraction
from typing import NewType

PICO = 10**12
"""Pico-USD in one USD."""

Exact = int | Fraction
"""An amount in 1e-12 of a currency, not rounded: of USD whole, of another currency what the exchange rates give."""
_WIDE = Context(prec=76)
_ZEROS = ["0." + "0" * (12 - digits) for digits in range(13)]
"""What stands before so many digits of pico-USD."""

Usd = NewType("Usd", str)
"""An amount of USD in JSON: plain decimal notation, at most 12 places, no exponent, no trailing zeros."""


def to_usd(pico: int) -> Usd:
    """Write `pico` pico-USD as a decimal string: `to_usd(1_500_000_000_000) == "1.5"`."""
    if 0 < pico < PICO:  # nearly all: a call costs less than a dollar
        digits = str(pico)
        # Without a call of Usd, which would take a fifth of the time.
        return _ZEROS[len(digits)] + digits.rstrip("0")  # type: ignore[return-value]
    if pico < 0:
        return Usd("-" + to_usd(-pico))
    text = str(pico).zfill(13)
    places = text[-12:].rstrip("0")
    return Usd(f"{text[:-12]}.{places}" if places else text[:-12])


def rounded_usd(pico: Exact) -> Usd:
    """Write an amount that may be finer than a pico-USD, as converted ones are: rounded once, half to even."""
    return to_usd(round(pico))


def exact_pico(amount: Decimal) -> Exact:
    """Read an amount as 1e-12 of its currency, however fine it is."""
    pico = amount.scaleb(12, _WIDE)
    whole = int(pico)
    return whole if whole == pico else Fraction(pico)


def to_pico(usd: str | Decimal) -> int:
    """Read USD as pico-USD. Raises ValueError if it is not a finite number or is finer than 1e-12 USD."""
    amount = Decimal(usd)
    if not amount.is_finite():
        raise ValueError(f"{usd} is not an amount of money")
    pico = amount.scaleb(12, _WIDE)
    whole = int(pico)
    if whole != pico:
        raise ValueError(f"{usd} is finer than 0.000000000001 USD")
    return whole
