"""LiteLLM's StandardLoggingPayload, as its generic API callback posts it: one, an array, or one a line.

Field names are those of litellm/types/utils.py. LiteLLM counts as OpenAI does: `prompt_tokens` holds the cached
tokens too, whoever the provider is.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from outlay_ingest.domain.coercion import first, moment, money, text
from outlay_ingest.domain.decoded_items import Item
from outlay_ingest.domain.extract import UNREAD, extract
from outlay_ingest.domain.reading import is_array, split
from outlay_ingest.domain.rejections import explain
from outlay_ingest.domain.tables import amount_of, number
from outlay_schemas.errors import UNREADABLE, Invalid
from outlay_schemas.events import Quantity, UsageEvent
from outlay_schemas.providers import provider_name

SOURCE = "litellm"
Json = Mapping[str, Any]
_decoder = msgspec.json.Decoder(dict[str, Any])


def read_litellm(body: bytes) -> Iterator[Item | None]:
    """Read payloads; answers from a cache and failures that used nothing are passed over.

    Raises Invalid if the body is not JSON. One a line comes with the media type of JSON too.
    """
    parts, places = split(body, "json" if is_array(body) or body.count(b"\n{") == 0 else "ndjson")
    for index, raw in enumerate(parts):
        place = f"line {places[index]}" if places else f"$[{index}]" if is_array(body) else ""
        try:
            event = _event(_payload(_decoder.decode(raw)))
        except (*UNREADABLE, Invalid) as error:
            yield Item(explain(error, raw), partial(bytes, raw), place)
            continue
        yield None if event is None else Item(event, partial(bytes, raw), place)


def _payload(row: Json) -> Json:
    """Return a row of LiteLLM's spend logs as the payload it was made from; a payload as it is."""
    if "spend" not in row or "request_id" not in row:
        return row
    meta = row.get("metadata")
    if isinstance(meta, str):
        meta = _decoder.decode(meta)
    said = {"user_api_key_team_id": row.get("team_id"), "user_api_key_user_id": row.get("user")}
    tags = row.get("request_tags")
    return {
        **row,
        "id": row["request_id"],
        "response_cost": row["spend"],
        "cache_hit": str(row.get("cache_hit")).lower() == "true",
        "request_tags": msgspec.json.decode(tags, type=list[str]) if isinstance(tags, str) else tags,
        "metadata": {**said, **{k: v for k, v in _mapping(meta).items() if v is not None}},
    }


def _event(payload: Json) -> UsageEvent | None:
    """Return the usage of a payload, None if nothing was spent. Raises Invalid."""
    provider = provider_name(text(payload.get("custom_llm_provider")) or "")
    usage, context = _usage(payload, provider)
    if payload.get("cache_hit") is True or (payload.get("status") == "failure" and not any(usage.values())):
        return None
    identity = text(first(payload, "id", "litellm_call_id"))
    model = text(payload.get("model"))
    if identity is None or model is None:
        name = "id" if identity is None else "model"
        raise Invalid("missing_field", f"a payload of LiteLLM has the field {name}", f"$.{name}")
    meta = _mapping(payload.get("metadata"))
    cost = money(number(payload.get("response_cost"), "$.response_cost", currency="USD"))
    return UsageEvent(
        id=identity,
        source=SOURCE,
        time=_time(payload),
        kind="llm",
        provider=provider,
        sku=model,
        usage=usage or {"requests": 1},
        project=text(first(meta, "user_api_key_project_alias", "user_api_key_project_id")),
        team=text(first(meta, "user_api_key_team_alias", "user_api_key_team_id", "team_alias", "team_id")),
        business_unit=text(first(meta, "user_api_key_org_alias", "user_api_key_org_id")),
        use_case=text(_mapping(meta.get("requester_metadata")).get("use_case")),
        user=text(first(meta, "user_api_key_user_id", "user_api_key_end_user_id") or payload.get("end_user")),
        tags=_tags(payload, meta),
        attributes=_attributes(payload, meta) | context,
        reported_cost=cost or None,  # 0 is how LiteLLM says that it knows no price
    )


def _time(payload: Json) -> datetime:
    return moment(first(payload, "endTime", "startTime"), "$.endTime")


def _usage(payload: Json, provider: str) -> tuple[dict[str, Quantity], dict[str, str]]:
    """Read the counts, and what decides their price: the whole ones beside, the parts in `metadata.usage_object`."""
    given = dict(_mapping(_mapping(payload.get("metadata")).get("usage_object")))
    whole = {
        name: amount
        for name in ("prompt_tokens", "completion_tokens")
        if (amount := amount_of(name, payload.get(name), "point"))
    }
    if not whole and not any(given.values()):
        return {}, {}
    # LiteLLM's own counts are of the whole call. Whether they hold the iterations of Claude, it does not say: marked.
    runs = given.pop("iterations", None)
    found = extract({"usage": {**given, **whole}}, provider)[0]
    unread = ",".join(filter(None, ("iterations" if runs else "", found.context.get(UNREAD, ""))))
    return found.usage, {**found.context, UNREAD: unread} if unread else found.context


def _tags(payload: Json, meta: Json) -> dict[str, str]:
    """Take `request_tags` of the form name:value, and the texts of the requester's own metadata."""
    tags: dict[str, str] = {}
    for name, value in _mapping(meta.get("requester_metadata")).items():
        shown = text(value)
        if name and shown is not None:
            tags[name[:256]] = shown
    for tag in payload.get("request_tags") or ():
        if isinstance(tag, str) and not tag.startswith("User-Agent:"):
            name, colon, value = tag.partition(":")
            if name := name.strip()[:256]:
                tags[name] = value.strip()[:256] if colon else "true"
    return dict(list(tags.items())[:64])


def _attributes(payload: Json, meta: Json) -> dict[str, str]:
    found = {
        "call_type": payload.get("call_type"),
        "api_base": payload.get("api_base"),
        "trace_id": payload.get("trace_id"),
        "model_group": payload.get("model_group"),
        "key_alias": meta.get("user_api_key_alias"),
        "status": payload.get("status") if payload.get("status") != "success" else None,
    }
    return {name: shown for name, value in found.items() if (shown := text(value)) is not None}


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}
