"""Money in sentences. Exact figures travel beside them."""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from outlay_schemas.money import PICO


def dollars(pico: int) -> str:
    """Write an amount in pico-USD for people: `$1,234.50`, and small ones with the places that say something."""
    return usd(Decimal(pico) / PICO)


def usd(value: str | Decimal) -> str:
    """Write an amount in USD for people."""
    amount = Decimal(value)
    if amount == 0 or abs(amount) >= Decimal("0.1"):
        return _signed(f"{abs(amount).quantize(Decimal('0.01'), ROUND_HALF_EVEN):,}", amount < 0)
    return _signed(f"{abs(amount):.2g}" if abs(amount) >= Decimal("1e-4") else f"{abs(amount):f}", amount < 0)


def words_of(scope: Mapping[str, tuple[str, ...]]) -> str:
    """Write a scope for people: `team growth, sku a or b`."""
    named = (f"{name} {' or '.join(value or '(none)' for value in values)}" for name, values in scope.items())
    return ", ".join(named) or "all spend"


def _signed(text: str, negative: bool) -> str:
    return f"-${text}" if negative else f"${text}"
