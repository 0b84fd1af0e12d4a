"""The one reader of what a response says was used. genai-prices' extractors read the fields they know, of several
that fit the one that reads most; `usage_fields` says what others mean. A field that may decide a price and that
nothing reads is named in `unread`: the event is marked, never silently cheaper."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from outlay_ingest.domain.coercion import count, counts, mapping, text, texts
from outlay_ingest.domain.usage_fields import (
    CONTEXT,
    COUNTS,
    HOLDERS,
    METERS,
    PART_OF_OTHERS,
    RENAMED,
    TOTALS,
)
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Quantity

if TYPE_CHECKING:
    from genai_prices.types import Provider, UsageExtractor

Json = Mapping[str, Any]
UNREAD = "unread_usage"
"""Attribute of an event that names the fields of its usage that nothing read."""
ESTIMATED = "usage_estimated"
"""Attribute of an event that names the meters that are estimated."""
_WRAPPERS = ("response", "result")
"""Where some extractors look for what others find at the top."""
_BY_ITERATION = frozenset({
    "iterations", "input_tokens", "output_tokens", "output_tokens_details", "cache_creation", "cache_read_input_tokens",
    "cache_creation_input_tokens",
})  # fmt: skip
"""Fields of Anthropic's usage that its iterations state one by one."""
_UNDERSCORE = re.compile(r"_+(.)")
_LABELS = ("modality", "ttl")
"""What the items of a list are about."""
_SHARED = ("openai", "anthropic", "google", "aws", "cohere", "x-ai")
"""Whose extractors are tried where the provider's own do not fit: between them, every shape in use."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """What one run of a model used. `model` is empty where the response does not name it."""

    model: str
    usage: dict[str, Quantity]
    context: dict[str, str] = field(default_factory=dict)
    """Attributes that decide at which price the counts are billed, and `unread_usage`."""


def extract(response: Json, provider: str, api: str | None = None) -> list[Extracted]:
    """Read a response that was taken out of its envelope: one result for each time that a model is billed for it. The
    first is the model's that answers. `provider` is its name in the price data, empty if it is unknown. `api` asks
    for one of its extractors by name. Raises Invalid if the response does not say what it used."""
    plain = _spelt(response)
    return [_read(part, provider, api) for part in _iterations(plain) or [plain]]


def _iterations(response: Json) -> list[Json]:
    """Return each run of a model as a response of its own: Anthropic bills every iteration (compaction, an advisor, a
    fallback), some by another model, and tiers each by its prompt; counts beside `iterations` leave some out."""
    usage = mapping(response.get("usage"))
    iterations = usage.get("iterations")
    runs = [run for run in iterations if isinstance(run, Mapping)] if isinstance(iterations, list) else []
    if not runs:
        return []
    rest = {key: value for key, value in usage.items() if key not in _BY_ITERATION}
    tier = {key: value for key, value in rest.items() if key in CONTEXT}
    own = max((place for place, run in enumerate(runs) if "model" not in run), default=len(runs) - 1)
    last = {**rest, **runs[own]}
    others = [{**tier, **run} for place, run in enumerate(runs) if place != own]
    return [
        {**response, "model": run.get("model") or response.get("model"), "usage": run}
        for run in (last, *others)
    ]


def _read(response: Json, provider: str, api: str | None) -> Extracted:
    best: tuple[int, str | None, dict[str, Quantity], frozenset[str]] | None = None
    every = {path: value for holder in HOLDERS for path, value in _below(mapping(response.get(holder)), "")}
    relevant = {path for path in every if path not in PART_OF_OTHERS and path not in CONTEXT}
    why = "no extractor fits"
    for extractor in _extractors(provider, api):
        watched = _Watched(response, read := set[str]())
        try:
            named, found = extractor.extract(watched)
        except (ValueError, LookupError, TypeError, AttributeError) as error:  # the library trusts types
            why = str(error)
            continue
        seen = sum(1 for path in relevant & read if every[path])  # zeros say nothing
        if best is None or seen > best[0]:
            best = seen, named, counts(found.__dict__), frozenset(read)
    known = best or (0, None, {}, frozenset())
    usage, unread = _completed(known[2], {path: every[path] for path in relevant - known[3]})
    total = next((sum_ for path in TOTALS if (sum_ := count(every.get(path))) is not None), None)
    if not usage and total is not None:
        usage = {"input_tokens": total}  # embeddings of Voyage and others count nothing else
    about = texts({name: every[path] for path, name in CONTEXT.items() if path in every})
    if unread:
        about[UNREAD] = ",".join(unread)[:256]
    about |= _balance(usage, total)
    if not usage and best is None:
        raise Invalid(
            "usage_not_found",
            f"no usage as {provider or 'any provider'} reports it ({why[:200]}); send the whole response, "
            "or its counts beside it as usage",
            "$.usage",
        )
    return Extracted(text(known[1]) or text(response.get("model")) or "", usage or {"requests": 1}, about)


def _completed(known: Json, rest: Json) -> tuple[dict[str, Quantity], list[str]]:
    usage: dict[str, Quantity] = dict(known)
    unread: list[str] = []
    for path, value in sorted(rest.items()):
        meter = METERS.get(path)
        quantity = count(value)
        if meter is None or quantity is None:
            unread.append(path) if value else None
        elif meter not in usage:
            usage[meter] = quantity
        elif usage[meter] != quantity and quantity:
            unread.append(path)
    return usage, unread


def _balance(usage: dict[str, Quantity], total: Quantity | None) -> dict[str, str]:
    """Put where it belongs what a total has more than its parts, and mark what only looks like it. Gateways leave
    thoughts out of the output of Gemini, and the cache out of the input of Claude, not out of totals."""
    if "output_tokens" in usage and "input_tokens" not in usage:
        return {ESTIMATED: "input_tokens"}  # as in the last event of an old stream of Anthropic
    if total is None or "output_tokens" not in usage:
        return {}
    rest = total - usage["input_tokens"] - usage["output_tokens"]
    if rest <= 0:
        return {}
    cached = usage.get("cache_read_tokens", 0) + usage.get("cache_write_tokens", 0)
    side = "input_tokens" if rest == cached else "output_tokens"
    usage[side] += rest
    return {} if rest in (cached, usage.get("output_reasoning_tokens", 0)) else {ESTIMATED: side}


@cache
def price_data() -> "dict[str, Provider]":
    """Return the providers of the price data, by name. Loading them takes a moment, and only some formats need them."""
    from genai_prices import data_snapshot

    return {provider.id: provider for provider in data_snapshot.get_snapshot().providers}


@cache
def _extractors(provider: str, api: str | None) -> "Sequence[UsageExtractor]":
    known = {name: known.extractors or () for name, known in price_data().items()}
    own = list(known.get(provider, ()))
    if api is not None:
        return [extractor for extractor in own if extractor.api_flavor == api]
    return own + [one for name in _SHARED if name != provider for one in known[name] if one not in own]


def _below(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in _LABELS:
                yield from _below(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _below(inner, _place(path, inner))
    elif value is not None:
        yield path, value


def _place(path: str, item: Any) -> str:
    """Name an item of a list by what it is about: `promptTokensDetails[AUDIO]`."""
    label = next((item[name] for name in _LABELS if name in mapping(item)), None)
    return f"{path}[{label}]" if label is not None else path


class _Watched(Mapping[str, Any]):
    def __init__(self, value: Json, read: set[str], path: str | None = None) -> None:
        self._value, self._noted, self._path = value, read, path

    def __getitem__(self, key: str) -> Any:
        if self._path is None:
            if key in _WRAPPERS:
                return self
            return self._inner(self._value[key], "" if key in HOLDERS else None)
        return self._inner(self._value[key], f"{self._path}.{key}".lstrip("."))

    def _inner(self, value: Any, path: str | None) -> Any:
        if isinstance(value, Mapping):
            return value if path is None else _Watched(value, self._noted, path)
        if isinstance(value, list) and path is not None:
            return [self._inner(item, _place(path, item)) for item in value]
        if path is not None and not isinstance(value, list):
            self._noted.add(path)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)

    def __len__(self) -> int:
        return len(self._value)


def _spelt(response: Json) -> Json:
    """Write names as the extractors know them: Gemini's Python client and Bedrock's metrics spell them otherwise."""
    held = {name: response[name] for name in HOLDERS if name in response}
    if "billed_units" not in mapping(held.get("meta")):
        held.pop("meta", None)  # other providers use the name for other things than Cohere
    if isinstance(snake := response.get("usage_metadata"), Mapping):
        held["usageMetadata"] = _camel(snake)
    if isinstance(version := response.get("model_version"), str):
        held["modelVersion"] = version
    if beside := {name: response[name] for name in COUNTS if response.get(name) is not None}:
        held.setdefault("usage", beside)
    rest = {name: value for name, value in response.items() if name not in HOLDERS}
    return rest | {name: _renamed(value) for name, value in held.items()}


def _camel(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            _UNDERSCORE.sub(lambda found: found[1].upper(), str(key)): _camel(value[key]) for key in value
        }
    return [_camel(item) for item in value] if isinstance(value, list) else value


def _renamed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {RENAMED.get(key, key): _renamed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(item) for item in value]
    number = count(value) if isinstance(value, str) and value[:1].isdigit() else None
    return value if number is None else number
