"""What usage was for, where its producer does not state it. A virtual tag of the catalog overrides these rules."""

import re
from functools import lru_cache

from outlay_schemas.events import Activity, UsageEvent

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
