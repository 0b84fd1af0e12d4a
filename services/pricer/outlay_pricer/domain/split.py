"""Shared and idle cost, split among those it is for. Applied when a report is made; the ledger keeps the truth."""

from collections.abc import Mapping
from fractions import Fraction

from outlay_pricer.domain.exact import settle
from outlay_schemas.catalog import Share, Split

Receiver = str


def split_cost(split: Split, cost: int, own: Mapping[str, int] | None = None) -> dict[Receiver, int]:
    """Split `cost` pico-USD by a rule. The shares add up to the cost, exactly.

    `own`: for `proportional`, what each value of `split.by` costs by itself, in pico-USD; receivers that spent nothing
    get nothing. Raises ValueError if there is nobody to share with.
    """
    weights = _weights(split, own or {})
    whole = sum(weights.values())
    if not whole:
        raise ValueError(f"split {split.id} has nobody to share {split.method} with")
    _, parts = settle({name: Fraction(cost) * weight / whole for name, weight in weights.items()})
    return parts


def _weights(split: Split, own: Mapping[str, int]) -> dict[Receiver, Fraction]:
    if split.method == "even":
        return {receiver(share, split): Fraction(1) for share in split.shares}
    if split.method == "fixed":
        return {receiver(share, split): Fraction(share.weight or 0) for share in split.shares}
    wanted = {receiver(share, split) for share in split.shares}
    return {
        name: Fraction(cost)
        for name, cost in own.items()
        if name and cost > 0 and (not wanted or name in wanted)
    }


def receiver(share: Share, split: Split) -> Receiver:
    """Name a share by the dimension that the split is about, else by all it sets."""
    own = share.sets.get(split.by)
    return own if own is not None else "/".join(f"{key}={value}" for key, value in sorted(share.sets.items()))


def idle_cost(allocated: int, used_seconds: Fraction, allocated_seconds: Fraction) -> tuple[int, int]:
    """Divide what was paid for a machine into used and idle pico-USD, by the seconds it was busy.

    Both on the same basis, the allocation: usage above it counts as full use and never makes idle cost negative.
    """
    if allocated_seconds <= 0:
        raise ValueError("an allocation has a length")
    share = min(used_seconds / allocated_seconds, Fraction(1))
    _, parts = settle({"used": allocated * share, "idle": allocated * (1 - share)})
    return parts["used"], parts["idle"]


def cost_per_mtok(cost: int, tokens: int) -> Fraction | None:
    """Return USD a million tokens; None where no token was made: there is no such price then, not 0."""
    return None if tokens == 0 else Fraction(cost, tokens) / 1_000_000


def build_or_buy(allocated: int, used: int, tokens: int, api: int | None) -> dict[str, Fraction | None]:
    """Put the $/Mtok of a self-hosted model beside the API's for the same tokens. All costs in pico-USD.

    `allocation`: everything paid for the machines, idle time included. `usage`: only the seconds at work.
    `api`: what the same usage costs by list price; None where it is unpriced.
    """
    return {
        "allocation": cost_per_mtok(allocated, tokens),
        "usage": cost_per_mtok(used, tokens),
        "api": None if api is None else cost_per_mtok(api, tokens),
    }
