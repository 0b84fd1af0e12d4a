"""Tools that a provider runs and bills by the call, counted where a response lists them instead of a total."""

from collections.abc import Iterator, Mapping
from typing import Any

from outlay_ingest.domain.coercion import text
from outlay_schemas.events import Quantity

Json = Mapping[str, Any]
_CALLS = {"web_search_call": "web_searches", "file_search_call": "storage_searches"}
_BY_TIME = {"code_interpreter_call": "code_interpreter", "image_generation_call": "image_generation"}
"""Tools billed by a container's time or by another model's tokens, which the response does not say."""


def tool_calls(response: Json, model: str) -> tuple[dict[str, Quantity], list[str]]:
    """Return how often tools ran, by meter, and tools that ran at a price that nobody can tell from here."""
    counts: dict[str, Quantity] = {}
    unread: list[str] = []
    for item in _mappings(response.get("output")):
        kind = text(item.get("type")) or ""
        if kind in _BY_TIME:
            unread.append(f"output.{_BY_TIME[kind]}")
        elif kind in _CALLS and _billed(item):
            counts[_CALLS[kind]] = counts.get(_CALLS[kind], 0) + 1
    if queries := sum(map(_queries, _mappings(response.get("candidates")))):
        counts["web_searches"] = 1 if _by_prompt(model) else queries
    return counts, list(dict.fromkeys(unread))


def _billed(item: Json) -> bool:
    """OpenAI bills a search; opening a page that was found, and looking in it, are free."""
    action = item.get("action")
    return not isinstance(action, Mapping) or action.get("type") in (None, "search")


def _queries(candidate: Json) -> int:
    grounding = candidate.get("groundingMetadata") or candidate.get("grounding_metadata")
    if not isinstance(grounding, Mapping):
        return 0
    found = grounding.get("webSearchQueries") or grounding.get("web_search_queries")
    return len(found) if isinstance(found, list) else 0


def _by_prompt(model: str) -> bool:
    """Gemini before 3 is billed by the grounded prompt, from 3 on by the query (ai.google.dev, pricing)."""
    return model.rpartition("/")[2].startswith(("gemini-1", "gemini-2"))


def _mappings(value: object) -> Iterator[Json]:
    return (item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else iter(())
