"""Unit economics: what one request, one user and a thousand tokens cost. Exact fractions of USD."""

from fractions import Fraction

from outlay_reports.cost_query import Sums

PICO = 10**12


def _known(sums: Sums) -> bool:
    """Tell whether anything is priced: the cost of unpriced events is unknown, not 0."""
    return bool(sums.cost or not sums.unpriced)


def per_event(sums: Sums) -> Fraction | None:
    """USD per event, None without events. A lower bound where some are unpriced."""
    return Fraction(sums.cost, PICO * sums.events) if sums.events and _known(sums) else None


def per_thousand_tokens(sums: Sums) -> Fraction | None:
    """USD per 1,000 tokens, input and output together, None without tokens."""
    return (
        Fraction(sums.cost * 1000) / (PICO * Fraction(sums.tokens)) if sums.tokens and _known(sums) else None
    )


def per_user(sums: Sums, users: int) -> Fraction | None:
    """USD per user that is known, None without users."""
    return Fraction(sums.cost, PICO * users) if users and _known(sums) else None


def cached_share(sums: Sums) -> Fraction | None:
    """Which share of the input tokens came from a cache, None without input."""
    read, whole = sums.usage.get("cache_read_tokens"), sums.usage.get("input_tokens")
    return Fraction(read or 0) / Fraction(whole) if whole else None
