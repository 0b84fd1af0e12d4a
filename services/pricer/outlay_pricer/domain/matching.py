"""Which events a rule of the catalog is about: conditions compiled to one test over an event's facts.

And what usage was for, where its producer does not state it. A virtual tag of the catalog overrides these rules.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from outlay_schemas.catalog import Match
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.events import Activity, UsageEvent

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


_WORD = re.compile(r"[a-z]+")
_NAMES: dict[Activity, str] = {
    "training": "train training trainer pretrain finetune finetuning sft rlhf pytorchjob mpijob tfjob",
    "inference": "inference infer serving serve predictor vllm triton tgi sglang ollama inferenceservice",
    "data_processing": "etl batch embed embedding embeddings preprocess preprocessing transform spark cronjob",
}
"""Words in the names of workloads."""
_WORKLOADS = {word: activity for activity, words in _NAMES.items() for word in words.split()}
_NAMED_BY = ("controllerKind", "controller", "pod", "container", "namespace")
"""Tags of clusters and GPUs that name a workload, the closest first."""
_TRAINING_METERS = frozenset({"training_tokens", "training_hours"})
_OPERATION = ("operation", "call_type")


def activity_of(event: UsageEvent) -> Activity:
    """Return what an event was for: as stated, else as its kind and its names say."""
    if event.activity is not None:
        return event.activity
    if event.kind == "llm":
        return _of_call(event)
    if event.kind == "storage":
        return "storage"
    if event.kind == "compute":
        names = (*(event.tags.get(name, "") for name in _NAMED_BY), event.project or "")
        return next(filter(None, map(_of_workload, names)), "other")
    return "other"


def _of_call(event: UsageEvent) -> Activity:
    if not _TRAINING_METERS.isdisjoint(event.usage):
        return "training"
    attributes = event.attributes
    operation = next((attributes[name] for name in _OPERATION if name in attributes), "").lower()
    if "fine" in operation and "tun" in operation:
        return "training"
    if "batch" in (attributes.get("processing"), attributes.get("service_tier")):
        return "data_processing"
    return "data_processing" if _makes_vectors(operation) or _makes_vectors(event.sku) else "inference"


@lru_cache(maxsize=4096)
def _makes_vectors(name: str) -> bool:
    lower = name.lower()
    return "embed" in lower or "rerank" in lower or lower.startswith("voyage")


@lru_cache(maxsize=4096)
def _of_workload(name: str) -> Activity | None:
    return next((_WORKLOADS[word] for word in _WORD.findall(name.lower()) if word in _WORKLOADS), None)
