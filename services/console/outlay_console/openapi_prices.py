"""What the OpenAPI document says of prices."""

from outlay_console.domain.price_lookup import LONGEST_SEARCH
from outlay_console.price_api import MOST
from outlay_schemas.documents import Document

_TEXT: Document = {"type": "string"}
_USD: Document = {**_TEXT, "description": "USD, exact."}
_COUNT: Document = {"type": "integer"}


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(name: str, about: str) -> Document:
    return {"type": "array", "items": _ref(name), "description": about}


def _text(about: str) -> Document:
    return {**_TEXT, "description": about}


_INPUT = {
    "meter": "input_tokens", "price": "0.25", "per": "1000000", "currency": "USD", "above": "0", "label": "Input",
    "text": "$0.25 per million tokens",
}  # fmt: skip
_OUTPUT = _INPUT | {
    "meter": "output_tokens",
    "price": "2",
    "label": "Output",
    "text": "$2 per million tokens",
}
_SET_EXAMPLE = {
    "book": "genai-prices", "version": "0.2.3", "prices": [_INPUT, _OUTPUT],
    "source": "https://github.com/pydantic/genai-prices", "checked": "2026-11-01",
}  # fmt: skip
_SEARCH_EXAMPLE = {
    "q": "gpt-5-mini", "matches": 1, "rows": [{"provider": "openai", "sku": "gpt-5-mini", "prices": [_INPUT, _OUTPUT]}],
}  # fmt: skip
_MODEL_EXAMPLE = {
    "provider": "openai",
    "sku": "gpt-5-mini",
    "prices": [_SET_EXAMPLE],
    "by_date": [],
    "by_revision": [{"revision": 7, "at": "2026-11-23T09:00:00Z", "note": "by kim", "prices": [_SET_EXAMPLE]}],
    "older_revisions": False,
    "spent": {
        "from": "2026-10-27T00:00:00Z", "to": "2026-11-26T00:00:00Z", "cost_usd": "12.0375", "charged_usd": "12.0375",
        "events": 4210, "unpriced_events": 0, "estimated_events": 0,
    },
    "what_if": [
        {"provider": "openai", "sku": "gpt-5-nano", "before_usd": "12.0375", "after_usd": "2.4075", "events": 4210,
         "left_out_events": 0, "check": "is its quality good enough?"},
    ],
}  # fmt: skip
SCHEMAS: Document = {
    "Price": {
        "type": "object",
        "description": "One price: `price` for each `per` of `meter`.",
        "required": ["meter", "price", "per", "currency", "above", "label", "text"],
        "properties": {
            "meter": _text("What is counted: `input_tokens`, `compute_seconds`."),
            "price": _text("An exact decimal, in `currency`."),
            "per": _text("For how many: `1000000`."),
            "currency": _text("An ISO 4217 code."),
            "above": _text("The count, or the number of input tokens, above which it holds; `0`: from the first."),
            "label": _text("The meter as people read it."),
            "text": _text("The price as people read it."),
            "note": _text("Tiers, free amounts, minimums, rounding."),
        },
    },
    "PriceSet": {
        "type": "object",
        "description": "Prices that hold together, and where they come from. What is not known is left out.",
        "required": ["book", "version", "prices"],
        "properties": {
            "book": _text("The price book, or the data on models."),
            "version": _text("Its version."),
            "prices": _list("Price", "One for each meter and tier. Empty if none holds; `reason` says why."),
            "when": {"type": "array", "items": _TEXT, "description": "Any of these conditions; absent: always."},
            "source": _text("Where the prices were published."),
            "checked": _text("The day on which they were last compared with the source."),
            "since": _text("The day from which they hold."),
            "until": _text("The day of the next known change."),
            "guesses": {"type": "array", "items": _TEXT, "description": "How the name was matched, if not exactly."},
            "reason": _text("Why `prices` is empty."),
        },
    },
    "PriceMatches": {
        "type": "object",
        "description": "A page of what matches a search, the best match first.",
        "required": ["q", "matches", "rows"],
        "properties": {
            "q": _text("What was searched for."),
            "matches": {**_COUNT, "description": "How many models and SKUs match, on all pages."},
            "rows": {
                "type": "array",
                "description": "Each with the first three of its prices now.",
                "items": {
                    "type": "object",
                    "required": ["provider", "sku", "prices"],
                    "properties": {"provider": _TEXT, "sku": _TEXT, "prices": _list("Price", "")},
                },
            },
        },
    },
    "Model": {
        "type": "object",
        "description": "What is known of a model or SKU.",
        "required": ["provider", "sku", "prices", "by_date", "by_revision", "older_revisions", "spent", "what_if"],
        "properties": {
            "provider": _text("As asked; empty: any."),
            "sku": _text("As asked."),
            "prices": _list("PriceSet", "In force now. The first whose conditions an event meets prices it."),
            "by_date": _list("PriceChange", "Changes by the dates of the catalog in force, the newest first."),
            "by_revision": _list("PriceChange", "Changes by the newest revisions of the catalog, the newest first."),
            "older_revisions": {"type": "boolean", "description": "Whether older revisions were not compared."},
            "spent": _ref("Spent"),
            "what_if": _list("WhatIf", "The same usage with other prices. Empty without usage."),
        },
    },
    "PriceChange": {
        "type": "object",
        "description": "The prices that changed at a moment.",
        "required": ["prices"],
        "properties": {
            "from": _text("From when on; absent: before the first known change."),
            "revision": {**_COUNT, "description": "The revision of the catalog."},
            "at": _text("When the revision was published."),
            "note": _text("What its author wrote; for keys of the operator's tenant."),
            "prices": _list("PriceSet", "The sets that changed. Empty: prices ended."),
        },
    },
    "Spent": {
        "type": "object",
        "description": "What was spent in 30 days, the current day included.",
        "required": ["from", "to", "cost_usd", "charged_usd", "events", "unpriced_events", "estimated_events"],
        "properties": {
            "from": _TEXT,
            "to": _TEXT,
            "cost_usd": {**_USD, "description": "USD, exact; a lower bound if events are unpriced."},
            "charged_usd": {**_USD, "description": "USD, exact: the cost with markups."},
            "events": _COUNT,
            "unpriced_events": _COUNT,
            "estimated_events": _COUNT,
        },
    },
    "WhatIf": {
        "type": "object",
        "description": "What the usage of the 30 days cost, and would have cost otherwise.",
        "required": ["provider", "sku", "before_usd", "after_usd", "events", "left_out_events"],
        "properties": {
            "provider": _text("The provider compared with."),
            "sku": _text("The model or SKU compared with."),
            "book": _text("The price book that came first; absent: as published."),
            "before_usd": {**_USD, "description": "USD, exact: the cost of the events that were compared."},
            "after_usd": {**_USD, "description": "USD, exact: what they would have cost."},
            "events": {**_COUNT, "description": "The events that were compared."},
            "left_out_events": {**_COUNT, "description": "Events that have no price there."},
            "check": _text("What to make sure of first."),
        },
    },
}  # fmt: skip


def _parameter(name: str, schema: Document, about: str, **more: object) -> Document:
    return {"name": name, "in": "query", "schema": schema, "description": about, **more}


def _operation(
    name: str, summary: str, about: str, parameters: list[Document], answer: tuple[str, Document]
) -> Document:
    schema, example = answer
    return {
        "operationId": name,
        "tags": ["prices"],
        "summary": summary,
        "description": about,
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "The answer.",
                "content": {"application/json": {"schema": _ref(schema), "example": example}},
            }
        },
    }


PATHS: Document = {
    "/api/v1/prices": {
        "get": _operation(
            "searchPrices",
            "Find a price",
            "The models and SKUs of the catalog whose name contains every word of a text, in any case.",
            [
                _parameter(
                    "q", {**_TEXT, "maxLength": LONGEST_SEARCH}, "Words of the name: `gpt-5`, `anthropic sonnet`.",
                    required=True, example="gpt-5-mini",
                ),
                _parameter("limit", {**_COUNT, "minimum": 1, "maximum": MOST, "default": 20}, "Most results."),
                _parameter("page", {**_COUNT, "minimum": 1, "default": 1}, "Which page of `limit` results."),
            ],
            ("PriceMatches", _SEARCH_EXAMPLE),
        )
    },
    "/api/v1/prices/model": {
        "get": _operation(
            "getModel",
            "Get the prices of a model",
            "Prices now and before, what was spent in 30 days, and what that usage would have cost otherwise. A name"
            " that the catalog does not have is matched as that of an event is.",
            [
                _parameter("provider", _TEXT, "Its provider. Default: any.", example="openai"),
                _parameter("sku", _TEXT, "The model or SKU.", required=True, example="gpt-5-mini"),
                _parameter("as", _TEXT, "Compare with this one too, as `PROVIDER/MODEL`."),
                _parameter("book", _TEXT, "Compare with this price book first."),
                _parameter("tz", {**_TEXT, "default": "UTC"}, "The IANA time zone in which days begin."),
            ],
            ("Model", _MODEL_EXAMPLE),
        )
    },
}  # fmt: skip
