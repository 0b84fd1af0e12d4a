"""Spans and log records that say what a call of a model used, as usage events. A span's id is the event's identity.
Log records are OpenTelemetry's GenAI events, and those of coding agents."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec

from outlay_ingest.domain.coercion import count, counts, first, from_nanoseconds, money, text, texts
from outlay_ingest.domain.decoded_items import Item, made
from outlay_ingest.domain.extract import UNREAD
from outlay_ingest.domain.gateways import azure_resource
from outlay_ingest.domain.nested_spans import NESTED_IN, RequestSpans, counts_of
from outlay_ingest.domain.otlp import semconv as names
from outlay_ingest.domain.otlp.wire import Record, logs, spans
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Quantity, UsageEvent
from outlay_schemas.providers import provider_name

Json = Mapping[str, Any]
_UNKNOWN_SERVICE = "unknown_service"
_USAGE, _KEPT, _LABELS = (
    names.spellings(names.USAGE),
    names.spellings(names.KEPT),
    names.spellings(names.LABELS),
)
_ID = re.compile(r"[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}")


def read_traces(body: bytes, as_json: bool, seen: RequestSpans | None = None) -> Iterator[Item | None]:
    """Read an ExportTraceServiceRequest (else Invalid); None for spans that are not model calls or count inside."""
    seen = seen or RequestSpans()
    records = list(spans(body, as_json))
    items = [((record.trace, record.span), as_item(record)) for record in records]
    events = [(span, item.event) for span, item in items if item and isinstance(item.event, UsageEvent)]
    usage = {span: counted for span, event in events if any(counted := counts_of(event.usage))}
    nested = seen.resolve({(record.trace, record.span): record.parent for record in records}, usage)
    for span, event in events:
        if span in nested:
            event.attributes[NESTED_IN] = nested[span]
    for span, item in items:
        yield item if seen.counts(span) else None


def as_item(record: Record) -> Item | None:
    """Return the event of a record, or the reason why it is invalid; None if it is not a model call."""
    attributes = record.attributes
    if not attributes or _around(attributes):
        return None
    usage = usage_of(attributes)
    if not usage:
        if record.failed or "error.type" in attributes or not _is_call(attributes):
            return None
        usage = {"requests": 1}  # a call that does not say what it used: unpriced, so that the hole is seen
    identity = f"{record.trace}-{record.span}"
    if not _ID.fullmatch(identity):
        why = Invalid("missing_field", "a span without its two ids could count twice", "$.spanId")
        return Item(why, record.alone, "", identity)
    return made(partial(event_of, record, usage, identity), record.alone, "", identity)


def _around(attributes: Json) -> bool:
    """Whether this is a span around calls (an agent, a tool, a chain) and no call itself."""
    kind = attributes.get(names.OI_KIND)
    return (
        attributes.get(names.OPERATION) in names.NO_CALLS
        or names.TRACELOOP_KIND in attributes
        or names.AI_SDK_CALL not in str(attributes.get(names.AI_SDK, names.AI_SDK_CALL))
        or (kind is not None and kind not in names.OI_CALLS)
    )


def _is_call(attributes: Json) -> bool:
    return (
        attributes.get(names.OPERATION) in names.CALLS
        or attributes.get(names.OI_KIND) in names.OI_CALLS
        or names.TRACELOOP_TYPE in attributes
        or names.AI_SDK in attributes
    )


def usage_of(attributes: Json) -> dict[str, Quantity]:
    """Return the counts by our names; empty if all are 0."""
    usage = counts(names.by_our_names(attributes, _USAGE))
    return usage if any(usage.values()) else {}


def event_of(record: Record, usage: dict[str, Quantity], identity: str, provider: str = "") -> UsageEvent:
    """Make the event. Raises Invalid: no id, no time, no model."""
    attributes, resource = record.attributes, record.resource
    model = text(first(attributes, *names.MODEL))
    if model is None:
        detail = "usage without gen_ai.request.model: it cannot be priced"
        raise Invalid("missing_field", detail, "$.attributes")
    both = {**resource, **attributes}
    owners: dict[str, Any] = texts(names.by_our_names(both, _LABELS))
    return UsageEvent(
        id=identity,
        source=text(resource.get("service.name")) or _UNKNOWN_SERVICE,
        time=from_nanoseconds(record.end or record.start, "$.endTimeUnixNano"),
        kind="llm",
        provider=provider_name(text(first(attributes, *names.PROVIDER)) or provider),
        sku=model,
        usage=usage,
        **owners,
        tags=_tags(both),
        attributes=_attributes(both),
    )


def _tags(both: Json) -> dict[str, str]:
    named = {
        name.removeprefix(names.TAG)[:256]: value
        for name, value in both.items()
        if name.startswith(names.TAG)
    }
    named.pop("", None)
    return texts({"env": first(both, *names.ENVIRONMENT)}) | texts(named)


def _attributes(both: Json) -> dict[str, str]:
    found = texts(names.by_our_names(both, _KEPT))
    old = names.AI_SDK_5 in both and not any(name.startswith(names.AI_SDK_6) for name in both)
    if old and str(both.get("ai.model.provider", "")).startswith(names.EXCLUSIVE):
        found.setdefault("usage_convention", "input_excludes_cache")
    unread = [
        name for name in both if name.startswith(names.COUNTS) and name not in names.READ and both[name]
    ]
    if unread:
        found[UNREAD] = ",".join(sorted(unread))[:256]
    if (address := text(first(both, *names.ADDRESS))) is not None:
        host = address.partition("://")[2].partition("/")[0] or address
        found |= {**azure_resource(host), "server_address": host}
    return found


@dataclass(frozen=True, slots=True)
class _Agent:
    provider: str
    usage: dict[str, str]
    convention: str = ""
    beside: str = ""
    """A count of input that is not in the input."""


_AGENTS = {
    "claude_code.api_request": _Agent(
        "anthropic",
        {"input_tokens": "input_tokens", "output_tokens": "output_tokens",
         "cache_read_tokens": "cache_read_tokens", "cache_creation_tokens": "cache_write_tokens"},
        "input_excludes_cache",
    ),
    "gemini_cli.api_response": _Agent(
        "google",
        {"input_token_count": "input_tokens", "output_token_count": "output_tokens",
         "cached_content_token_count": "cache_read_tokens", "thoughts_token_count": "output_reasoning_tokens"},
        "output_excludes_reasoning",
        "tool_token_count",
    ),
    "codex.sse_event": _Agent(
        "openai",
        {"input_token_count": "input_tokens", "output_token_count": "output_tokens",
         "cached_token_count": "cache_read_tokens", "reasoning_token_count": "output_reasoning_tokens"},
    ),
}  # fmt: skip
_SHORT = {"api_request": "claude_code.api_request"}
"""Claude Code gives its events short names, and the long one in the record's body."""
_COUNTS = ("_tokens", "_token_count")
_TOTALS = frozenset({"total_token_count", "total_tokens"})
_OWN = {name for agent in _AGENTS.values() for name in agent.usage} | {
    "model", "speed", "cost_usd", "request_id", "duration_ms", "event.sequence", "event.timestamp", "organization.id",
}  # fmt: skip


def read_logs(body: bytes, as_json: bool, seen: RequestSpans | None = None) -> Iterator[Item | None]:
    """Read an ExportLogsServiceRequest; None for records that are not model calls. Raises Invalid."""
    seen = seen or RequestSpans()
    for record in logs(body, as_json, _wanted):
        name = text(record.attributes.get("event.name")) or record.name
        agent = _AGENTS.get(name) or _AGENTS.get(_SHORT.get(name, ""))
        if agent is not None:
            yield _of_agent(record, agent)
        elif usage_of(record.attributes) and seen.counts((record.trace, record.span)):
            yield as_item(record)
        else:
            yield None


def _wanted(name: str) -> bool:
    return names.wanted(name) or name in _OWN or name.endswith(_COUNTS)


def _of_agent(record: Record, agent: _Agent) -> Item | None:
    found = record.attributes
    usage = counts({meter: found.get(name) for name, meter in agent.usage.items()})
    if tools := count(found.get(agent.beside)):
        usage |= {"input_tokens": usage.get("input_tokens", 0) + tools, "input_tool_tokens": tools}
    if not any(usage.values()):
        return None
    identity = text(found.get("request_id")) or _hashed(record)
    named = replace(record, attributes={**found, "gen_ai.request.model": found.get("model")})
    try:
        event = event_of(named, usage, identity, agent.provider)
    except Invalid as why:
        return Item(why, record.alone, "", identity)
    known = {*agent.usage, agent.beside, *_TOTALS}
    whole = usage.get("input_tokens", 0) + usage.get("output_tokens", 0)  # Codex gives it under an odd name
    others = counts({name: found[name] for name in found if name.endswith(_COUNTS) and name not in known})
    unread = ",".join(sorted(name for name, value in others.items() if value and value != whole))
    said = {"usage_convention": agent.convention, "speed": found.get("speed"), UNREAD: unread}
    event.attributes = texts(said) | event.attributes
    event.reported_cost = money(found.get("cost_usd")) or None
    return Item(event, record.alone, "", identity)


def _hashed(record: Record) -> str:
    """Make an id of all that a record says: the same at each try of its exporter."""
    said = [record.start, record.name, record.trace, record.span, record.attributes, record.resource]
    return "sha256-" + hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()
