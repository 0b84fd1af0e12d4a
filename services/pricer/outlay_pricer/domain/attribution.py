"""Whose a cost is: aliases, owners, virtual tags, defaults, required tags."""

from collections.abc import Sequence
from dataclasses import dataclass

from outlay_pricer.domain.matching import Test, compile_match, compile_words, facts_of
from outlay_schemas.catalog import Catalog, Owner, VirtualTag
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent

MISSING = "outlay.missing"
"""Attribute of a cost event that names the required tags it does not have."""

_SETTABLE = (*OWNERS, "provider", "activity")
Dimensions = dict[str, str]


@dataclass(frozen=True)
class Attributed:
    """An event's dimensions, what was sent where that differs (empty: nothing was), and the missing required ones."""

    dimensions: Dimensions
    given: dict[str, str]
    missing: tuple[str, ...] = ()


class Attribution:
    """The attribution rules of a catalog, ready to be applied."""

    def __init__(self, catalog: Catalog) -> None:
        self._aliases = {
            (alias.tenant, alias.dimension, other): alias.name
            for alias in catalog.aliases
            for other in alias.aliases
        }
        self._owners: dict[tuple[str, str], list[Owner]] = {}
        for owner in sorted(catalog.owners, key=lambda one: one.tenant == "*"):  # a tenant's own come first
            self._owners.setdefault((owner.key, owner.value), []).append(owner)
        self._owner_keys = tuple(dict.fromkeys(owner.key for owner in catalog.owners))
        self._virtual: list[tuple[VirtualTag, Test]] = [
            (tag, compile_match(tag.match)) for tag in catalog.virtual_tags
        ]
        self._defaults = [(default.sets, compile_match(default.match)) for default in catalog.defaults]
        self._required = [
            # A single-tenant installation has no tenant names: `*` is about it too.
            (
                policy,
                None if policy.tenant == "*" else compile_words([policy.tenant]),
                compile_match(policy.match),
            )
            for policy in catalog.required_tags
        ]
        rules = (
            catalog.aliases,
            catalog.owners,
            catalog.virtual_tags,
            catalog.defaults,
            catalog.required_tags,
        )
        self.idle = not any(rules)

    def canonical(self, dimension: str, value: str, tenant: str) -> str:
        """Return the one name of a value that goes by several in a tenant."""
        for whose in (tenant, "*"):
            if (name := self._aliases.get((whose, dimension, value))) is not None:
                return name
        return value

    def attribute(self, event: UsageEvent) -> Attributed:
        """Resolve an event's dimensions. Raises Invalid where the tenant wants tags that are not there."""
        sent = {name: getattr(event, name) or "" for name in _SETTABLE}
        named = {name: self.canonical(name, value, event.tenant) for name, value in sent.items()}
        filled = self._own(event, named)
        filled = self._own(event, {**named, **self._virtually(event, filled)})
        facts = facts_of(event, filled)
        for sets, test in self._defaults:
            if test(facts):
                filled = {**filled, **{name: value for name, value in sets.items() if not filled[name]}}
        filled = self._own(event, filled)
        given = {name: value for name, value in sent.items() if value != filled[name]}
        return Attributed(filled, given, self._missing(event, filled))

    def _own(self, event: UsageEvent, dimensions: Dimensions) -> Dimensions:
        """Fill empty dimensions from owners, until nothing more is known. What was sent is never replaced."""
        result = dict(dimensions)
        changed = bool(self._owners)
        while changed:
            changed = False
            facts = facts_of(event, result)
            for key in self._owner_keys:
                owners = self._owners.get((key, facts.get(key, "")), ())
                owner = next((one for one in owners if _owns(one, event)), None)
                for name, value in owner.sets.items() if owner else ():
                    if not result[name]:
                        result[name], changed = value, True
        return result

    def _virtually(self, event: UsageEvent, dimensions: Dimensions) -> Dimensions:
        """Return what virtual tags set, each seeing what the ones before it did."""
        result: Dimensions = {}
        for tag, test in self._virtual:
            now = {**dimensions, **result}
            if tag.active(event.time) and test(facts_of(event, now)):
                result |= {name: value for name, value in tag.sets.items() if tag.replace or not now[name]}
        return result

    def _missing(self, event: UsageEvent, dimensions: Dimensions) -> tuple[str, ...]:
        missing: list[str] = []
        facts = facts_of(event, dimensions) if self._required else {}
        for policy, of_tenant, about in self._required:
            if (of_tenant and not of_tenant(event.tenant)) or not about(facts):
                continue
            absent = [name for name in policy.require if not facts.get(name)]
            if absent and policy.action == "dead_letter":
                names = ", ".join(absent)
                raise Invalid(
                    "required_tags_missing", f"{names} is required for tenant {event.tenant!r}", "$"
                )
            missing += absent
        return tuple(dict.fromkeys(missing))


def _owns(owner: Owner, event: UsageEvent) -> bool:
    return owner.tenant in ("*", event.tenant) and owner.active(event.time)


Node = tuple[str, str]


def owner_cycles(owners: Sequence[Owner]) -> list[list[Node]]:
    """Return each cycle once, as the (key, value) pairs along it, starting with its first in the catalog."""
    found: dict[frozenset[Node], list[Node]] = {}
    for tenant in dict.fromkeys(owner.tenant for owner in owners):
        edges: dict[Node, list[Node]] = {}
        for owner in owners:
            if owner.tenant in ("*", tenant):
                edges.setdefault((owner.key, owner.value), []).extend(
                    (str(key), value) for key, value in owner.sets.items()
                )
        for start in edges:
            cycle = _back_to(start, edges)
            if cycle:
                found.setdefault(frozenset(cycle), cycle)
    return list(found.values())


def _back_to(start: Node, edges: dict[Node, list[Node]]) -> list[Node]:
    """Return the shortest way from a node back to itself; empty if it has none."""
    ways: list[list[Node]] = [[start]]
    seen: set[Node] = set()
    for way in ways:  # grows while it is walked: breadth first
        for target in edges.get(way[-1], []):
            if target == start:
                return way
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return []
