"""LiteLLM's StandardLoggingPayload (litellm/types/utils.py), as its generic API callback posts it: one, an array, or
one a line. As OpenAI does, LiteLLM counts cached tokens in `prompt_tokens`, whoever the provider is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from outlay_ingest.domain.coercion import first, mapping, moment, money, text, texts
from outlay_ingest.domain.decoded_items import Item, objects
from outlay_ingest.domain.extract import UNREAD, extract
from outlay_ingest.domain.reading import is_array
from outlay_ingest.domain.tables import amount_of, number
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Quantity, UsageEvent
from outlay_schemas.providers import provider_name

SOURCE = "litellm"
Json = Mapping[str, Any]


def read_litellm(body: bytes) -> Iterator[Item | None]:
    """Read payloads; answers from a cache and failures that used nothing are passed over. Raises Invalid if the body
    is not JSON. One a line comes with the media type of JSON too."""
    return objects(body, not is_array(body) and b"\n{" in body, _events)


def _payload(row: Json) -> Json:
    """Return a row of LiteLLM's spend logs as the payload it was made from; a payload as it is."""
    if "spend" not in row or "request_id" not in row:
        return row
    meta = row.get("metadata")
    if isinstance(meta, str):
        meta = msgspec.json.decode(meta, type=dict[str, Any])
    said = {"user_api_key_team_id": row.get("team_id"), "user_api_key_user_id": row.get("user")}
    tags = row.get("request_tags")
    return {
        **row,
        "id": row["request_id"],
        "response_cost": row["spend"],
        "cache_hit": str(row.get("cache_hit")).lower() == "true",
        "request_tags": msgspec.json.decode(tags, type=list[str]) if isinstance(tags, str) else tags,
        "metadata": {**said, **{k: v for k, v in mapping(meta).items() if v is not None}},
    }


def _events(row: Json) -> Sequence[UsageEvent]:
    payload = _payload(row)
    provider = provider_name(text(payload.get("custom_llm_provider")) or "")
    usage, context = _usage(payload, provider)
    if payload.get("cache_hit") is True or (payload.get("status") == "failure" and not any(usage.values())):
        return ()
    identity = text(first(payload, "id", "litellm_call_id"))
    model = text(payload.get("model"))
    if identity is None or model is None:
        name = "id" if identity is None else "model"
        raise Invalid("missing_field", f"a payload of LiteLLM has the field {name}", f"$.{name}")
    meta = mapping(payload.get("metadata"))
    said = {name: payload.get(name) for name in ("call_type", "api_base", "trace_id", "model_group")}
    said["key_alias"] = meta.get("user_api_key_alias")
    said["status"] = payload.get("status") if payload.get("status") != "success" else None
    cost = money(number(payload.get("response_cost"), "$.response_cost", currency="USD"))
    event = UsageEvent(
        id=identity,
        source=SOURCE,
        time=moment(first(payload, "endTime", "startTime"), "$.endTime"),
        kind="llm",
        provider=provider,
        sku=model,
        usage=usage or {"requests": 1},
        project=text(first(meta, "user_api_key_project_alias", "user_api_key_project_id")),
        team=text(first(meta, "user_api_key_team_alias", "user_api_key_team_id", "team_alias", "team_id")),
        business_unit=text(first(meta, "user_api_key_org_alias", "user_api_key_org_id")),
        use_case=text(mapping(meta.get("requester_metadata")).get("use_case")),
        user=text(first(meta, "user_api_key_user_id", "user_api_key_end_user_id") or payload.get("end_user")),
        tags=_tags(payload, meta),
        attributes=texts(said) | context,
        reported_cost=cost or None,  # 0 is how LiteLLM says that it knows no price
    )
    return (event,)


def _usage(payload: Json, provider: str) -> tuple[dict[str, Quantity], dict[str, str]]:
    given = dict(mapping(mapping(payload.get("metadata")).get("usage_object")))
    stated = {
        name: amount_of(name, payload.get(name), "point") for name in ("prompt_tokens", "completion_tokens")
    }
    whole = {name: amount for name, amount in stated.items() if amount}
    if not whole and not any(given.values()):
        return {}, {}
    # LiteLLM's own counts are of the whole call. Whether they hold the iterations of Claude, it does not say: marked.
    runs = given.pop("iterations", None)
    found = extract({"usage": {**given, **whole}}, provider)[0]
    unread = ",".join(filter(None, ("iterations" if runs else "", found.context.get(UNREAD, ""))))
    return found.usage, {**found.context, UNREAD: unread} if unread else found.context


def _tags(payload: Json, meta: Json) -> dict[str, str]:
    named = {name[:256]: value for name, value in mapping(meta.get("requester_metadata")).items() if name}
    customer = first(meta, "user_api_key_end_user_id") or payload.get("end_user")
    tags = texts({"customer": customer}) | texts(named)
    for tag in payload.get("request_tags") or ():
        if isinstance(tag, str) and not tag.startswith("User-Agent:"):
            name, colon, value = tag.partition(":")
            if name := name.strip()[:256]:
                tags[name] = value.strip()[:256] if colon else "true"
    return dict(list(tags.items())[:64])
