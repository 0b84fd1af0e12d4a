"""Which events a rule of the catalog is about: conditions compiled to one test over an event's facts."""

import re
from collections.abc import Callable, Iterable, Mapping

from outlay_pricer.domain.activity import activity_of
from outlay_schemas.catalog import Match
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.events import UsageEvent

Facts = Mapping[str, str]
"""An event as words: `team`, `sku`, …, `tags.env`, `attributes.region`. What is not there is empty."""
Test = Callable[[Facts], bool]


def facts_of(event: UsageEvent, dimensions: Mapping[str, str]) -> dict[str, str]:
    """Write an event as facts, with its dimensions as they are resolved so far."""
    facts = {
        "kind": event.kind,
        "provider": event.provider,
        "sku": event.sku,
        "source": event.source,
        "tenant": event.tenant,
        **dimensions,
    }
    facts["activity"] = dimensions.get("activity") or activity_of(event)
    for name, value in event.tags.items():
        facts[f"tags.{name}"] = value
    for name, value in event.attributes.items():
        facts[f"attributes.{name}"] = value
    return facts


def resolved_facts(event: UsageEvent) -> dict[str, str]:
    """Write an event as facts, with its dimensions as it has them."""
    return facts_of(event, {name: getattr(event, name) or "" for name in OWNERS})


def compile_match(match: Match) -> Test:
    """Make a test from a match: every field given must fit."""
    wanted: dict[str, tuple[str, ...]] = {}
    for name in type(match).model_fields:
        value = getattr(match, name)
        if isinstance(value, dict):
            wanted.update({f"{name}.{key}": tuple(words) for key, words in value.items()})
        elif value:
            wanted[name] = value
    return compile_facts(wanted)


def compile_facts(wanted: Mapping[str, Iterable[str]]) -> Test:
    """Make a test from fact names and the words, or patterns with `*`, of which one must fit."""
    tests = [(name, compile_words(words)) for name, words in wanted.items()]
    if not tests:
        return lambda _: True
    return lambda facts: all(test(facts.get(name, "")) for name, test in tests)


def compile_words(words: Iterable[str]) -> Callable[[str], bool]:
    """Make a test for one word. `*` alone means any value that is there."""
    exact = frozenset(word for word in words if "*" not in word)
    patterns = [word for word in words if "*" in word]
    if not patterns:
        return exact.__contains__
    pattern = re.compile("|".join(f"(?:{_regex(word)})" for word in patterns))
    return lambda text: text in exact or (text != "" and pattern.fullmatch(text) is not None)


def _regex(word: str) -> str:
    return ".*".join(re.escape(part) for part in word.split("*"))
