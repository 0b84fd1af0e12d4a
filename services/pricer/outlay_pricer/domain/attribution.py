"""Whose a cost is: aliases, owners, virtual tags, defaults, required tags."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from outlay_pricer.domain.matching import Test, compile_match, compile_words, facts_of
from outlay_schemas.catalog import Alias, Catalog, Owner, RequiredTags, VirtualTag
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


@dataclass(frozen=True)
class _Requirement:
    policy: RequiredTags
    tenant: Callable[[str], bool]
    about: Test


class Attribution:
    """The attribution rules of a catalog, ready to be applied."""

    def __init__(self, catalog: Catalog) -> None:
        self._aliases = _alias_index(catalog.aliases)
        self._owners: dict[tuple[str, str], list[Owner]] = {}
        for owner in catalog.owners:
            self._owners.setdefault((owner.key, owner.value), []).append(owner)
        self._owner_keys = tuple(dict.fromkeys(owner.key for owner in catalog.owners))
        self._virtual: list[tuple[VirtualTag, Test]] = [
            (tag, compile_match(tag.match)) for tag in catalog.virtual_tags
        ]
        self._defaults = [(default.sets, compile_match(default.match)) for default in catalog.defaults]
        self._required = [
            _Requirement(policy, _tenant_test(policy.tenant), compile_match(policy.match))
            for policy in catalog.required_tags
        ]
        self.idle = not (catalog.aliases or catalog.owners or catalog.virtual_tags or catalog.defaults)
        self.idle = self.idle and not catalog.required_tags

    def canonical(self, dimension: str, value: str) -> str:
        """Return the one name of a value that goes by several."""
        return self._aliases.get((dimension, value), value)

    def attribute(self, event: UsageEvent) -> Attributed:
        """Resolve an event's dimensions. Raises Invalid where the tenant wants tags that are not there."""
        sent = {name: getattr(event, name) or "" for name in _SETTABLE}
        named = {name: self.canonical(name, value) for name, value in sent.items()}
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
                for name, value in self._owned(key, facts.get(key, ""), event.time).items():
                    if not result[name]:
                        result[name], changed = value, True
        return result

    def _owned(self, key: str, value: str, at: datetime) -> Mapping[str, str]:
        for owner in self._owners.get((key, value), ()):
            if owner.active(at):
                return {str(name): label for name, label in owner.sets.items()}
        return {}

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
        for requirement in self._required:
            if not requirement.tenant(event.tenant) or not requirement.about(facts):
                continue
            absent = [name for name in requirement.policy.require if not facts.get(name)]
            if absent and requirement.policy.action == "dead_letter":
                names = ", ".join(absent)
                raise Invalid(
                    "required_tags_missing", f"{names} is required for tenant {event.tenant!r}", "$"
                )
            missing += absent
        return tuple(dict.fromkeys(missing))


def _alias_index(aliases: tuple[Alias, ...]) -> dict[tuple[str, str], str]:
    return {(alias.dimension, other): alias.name for alias in aliases for other in alias.aliases}


def _tenant_test(tenant: str) -> Callable[[str], bool]:
    # A single-tenant installation has no tenant names: `*` is about it too.
    return (lambda _: True) if tenant == "*" else compile_words([tenant])
