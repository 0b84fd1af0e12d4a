"""Who spends the amount of an alert, in the order in which it helps to read them."""

from collections.abc import Sequence

from outlay_alerter.rules.watch import Scope
from outlay_schemas.alerts import Contributor
from outlay_schemas.money import to_pico

_FIRST = ("sku", "user")
"""Model and user say most: what is used, and whom to ask."""
_PLAIN = ("provider", "activity", "kind")
"""Of these a single value says nothing."""


def ranked(contributors: Sequence[Contributor], scope: Scope) -> list[Contributor]:
    """Return contributors with model and user first, then the dimension whose greatest value has the most.

    Dimensions that say nothing (the scope itself, a single provider, nothing attributed) come last.
    """
    groups: dict[str, list[Contributor]] = {}
    for one in sorted(contributors, key=lambda c: (-to_pico(c.cost), c.value)):
        groups.setdefault(one.dimension, []).append(one)

    def order(name: str) -> tuple[bool, bool, int, int, str]:
        group, known = groups[name], name in _FIRST
        place = _FIRST.index(name) if known else 0
        return not says_something(name, group, scope), not known, place, -to_pico(group[0].cost), name

    return [one for name in sorted(groups, key=order) for one in groups[name]]


def says_something(name: str, group: Sequence[Contributor], scope: Scope) -> bool:
    """Return whether the values of a dimension tell a reader anything that the scope does not."""
    single = name in _PLAIN and len(group) == 1
    return not single and any(one.value for one in group) and len(scope.get(name, ())) != 1
