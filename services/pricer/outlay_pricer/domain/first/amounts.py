"""From exact fractions to whole pico-USD: rounded half to even, and parts that add up to their total."""

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any


def rounded(numerator: int, denominator: int) -> int:
    """Divide, half to even."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return whole + (twice > denominator or (twice == denominator and whole & 1))


def settle(total: int, parts: Sequence[Any], denominator: int) -> tuple[int, list[int]]:
    """Round a total and its parts to whole pico-USD; the largest part takes what rounding left over."""
    if denominator == 1:
        return total, list(parts)
    cost = rounded(total, denominator)
    shares = [rounded(part, denominator) for part in parts]
    left = cost - sum(shares)
    if left and shares:
        shares[max(range(len(parts)), key=parts.__getitem__)] += left
    return cost, shares


def settle_fractions(parts: Sequence[Fraction]) -> tuple[int, list[int]]:
    """Do the same for fractions of pico-USD."""
    denominator = lcm(1, *(part.denominator for part in parts))
    whole = [int(part * denominator) for part in parts]
    return settle(sum(whole), whole, denominator)
