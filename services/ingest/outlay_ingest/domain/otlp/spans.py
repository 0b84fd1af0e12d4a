"""A span of a call of a model as a usage event. The span's id is the event's identity."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from outlay_ingest.domain.coercion import counts, first, from_nanoseconds, text, texts
from outlay_ingest.domain.decoded_items import Item
from outlay_ingest.domain.extract import UNREAD
from outlay_ingest.domain.gateways import azure_resource
from outlay_ingest.domain.nested_spans import NESTED_IN, RequestSpans, counts_of
from outlay_ingest.domain.otlp import semconv as names
from outlay_ingest.domain.otlp.wire import Record, spans
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
    """Read an ExportTraceServiceRequest; None for spans that are not model calls, and for calls counted inside.

    Raises Invalid if the body is not such a request.
    """
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
    try:
        if not _ID.fullmatch(identity):
            raise Invalid("missing_field", "a span without its two ids could count twice", "$.spanId")
        return Item(event_of(record, usage, identity), record.alone, "", identity)
    except Invalid as why:
        return Item(why, record.alone, "", identity)


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
        raise Invalid(
            "missing_field", "usage without gen_ai.request.model: it cannot be priced", "$.attributes"
        )
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
