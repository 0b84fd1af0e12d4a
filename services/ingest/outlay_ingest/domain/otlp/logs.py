"""Log records that say what a call of a model used: OpenTelemetry's GenAI events, and those of coding agents."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec

from outlay_ingest.domain.coercion import count, counts, money, text, texts
from outlay_ingest.domain.decoded_items import Item
from outlay_ingest.domain.extract import UNREAD
from outlay_ingest.domain.nested_spans import RequestSpans
from outlay_ingest.domain.otlp.semconv import wanted
from outlay_ingest.domain.otlp.spans import as_item, event_of, usage_of
from outlay_ingest.domain.otlp.wire import Record, logs
from outlay_schemas.errors import Invalid


@dataclass(frozen=True, slots=True)
class _Agent:
    """How a coding agent's log record spells a call."""

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
    """Read an ExportLogsServiceRequest; None for records that are not model calls.

    Raises Invalid if the body is none.
    """
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
    return wanted(name) or name in _OWN or name.endswith(_COUNTS)


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
