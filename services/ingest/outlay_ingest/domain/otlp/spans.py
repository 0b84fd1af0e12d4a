"""A span of a call of a model as a usage event. The span's id is the event's identity."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from outlay_ingest.domain.coercion import count, first, from_nanoseconds, text
from outlay_ingest.domain.decoded_items import Item
from outlay_ingest.domain.extract import UNREAD
from outlay_ingest.domain.gateways import azure_resource
from outlay_ingest.domain.nested_spans import NESTED_IN, RequestSpans, counts_of
from outlay_ingest.domain.otlp import semconv as names
from outlay_ingest.domain.otlp.wire import Record, spans
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Quantity, UsageEvent
from outlay_schemas.providers import provider_name

Json = Mapping[str, Any]
_UNKNOWN_SERVICE = "unknown_service"
_ID = re.compile(r"[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}")
_USAGE = tuple(names.USAGE.items())
_KEPT = tuple(names.KEPT.items())


def read_traces(body: bytes, as_json: bool, seen: RequestSpans | None = None) -> Iterator[Item | None]:
    """Read an ExportTraceServiceRequest; None for spans that are not model calls, and for calls counted inside.

    Raises Invalid if the body is not such a request.
    """
    seen = seen or RequestSpans()
    records = list(spans(body, as_json))
    items = [as_item(record, record.as_span) for record in records]
    usage = {
        (record.trace, record.span): counts
        for record, item in zip(records, items, strict=True)
        if item is not None
        and isinstance(item.event, UsageEvent)
        and any(counts := counts_of(item.event.usage))
    }
    nested = seen.resolve({(record.trace, record.span): record.parent for record in records}, usage)
    for record, item in zip(records, items, strict=True):
        span = record.trace, record.span
        if item is not None and isinstance(item.event, UsageEvent) and span in nested:
            item.event.attributes[NESTED_IN] = nested[span]
        yield item if seen.counts(span) else None


def as_item(record: Record, raw: Callable[[], bytes]) -> Item | None:
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
        return Item(event_of(record, usage, identity), raw, "", identity)
    except Invalid as why:
        return Item(why, raw, "", identity)


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
    usage: dict[str, Quantity] = {}
    for meter, spellings in _USAGE:
        for spelling in spellings:
            if spelling in attributes:
                if (value := count(attributes[spelling])) is not None:
                    usage[meter] = value
                break
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
    owners: dict[str, Any] = {name: text(first(both, *names.LABELS[name])) for name in OWNERS}
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
    tags = {}
    for name, value in both.items():
        if name.startswith(names.TAG) and (shown := text(value)) is not None and len(name) > len(names.TAG):
            tags[name[len(names.TAG) :][:256]] = shown
    if (environment := text(first(both, *names.ENVIRONMENT))) is not None:
        tags.setdefault("env", environment)
    return tags


def _excludes_cache(both: Json) -> bool:
    new = any(name.startswith(names.AI + "inputTokenDetails.") for name in both)
    return (
        names.AI_SDK_5 in both
        and not new
        and str(both.get("ai.model.provider", "")).startswith(names.EXCLUSIVE)
    )


def _is_unread(name: str) -> bool:
    return name.startswith(names.COUNTS) and name not in names.READ


def _attributes(both: Json) -> dict[str, str]:
    found = {}
    for name, spellings in _KEPT:
        for spelling in spellings:
            if spelling in both and (shown := text(both[spelling])) is not None:
                found[name] = shown
                break
    address = text(first(both, *names.ADDRESS))
    if _excludes_cache(both):
        found.setdefault("usage_convention", "input_excludes_cache")
    unread = sorted(name for name in both if _is_unread(name) and both[name])
    if unread:
        found[UNREAD] = ",".join(unread)[:256]
    if address is not None:
        host = address.partition("://")[2].partition("/")[0] or address
        found |= {**azure_resource(host), "server_address": host}
    return found
