"""The OpenAPI document of the read API, made of the table of reports and of what is said of prices."""

from collections.abc import Iterable, Mapping
from functools import cache

from outlay_console import openapi_prices
from outlay_reports.periods import UNITS
from outlay_schemas.documents import Document, openapi

_TEXT = {"type": "string"}
_YES = {"type": "boolean", "default": False}
_PARAMETERS: Mapping[str, tuple[Document, str]] = {
    "by": (_TEXT, "Dimensions, from the widest to the narrowest: `team,model`, `tags.env`."),
    "from": (_TEXT, "The first moment: `2026-11`, `2026-11-01`, `2026-11-01T08:00`. Default: this month."),
    "to": (_TEXT, "The first moment that is no longer in it."),
    "tz": ({**_TEXT, "default": "UTC"}, "The IANA time zone in which days begin: `Europe/Berlin`."),
    "where": (
        {"type": "array", "items": _TEXT},
        "Conditions that all hold, each `DIMENSION=VALUE`; several values: `team=growth,platform`.",
    ),
    "amount": (
        {"enum": ["cost", "charged"], "default": "cost"},
        "What providers charge, or what teams are charged.",
    ),
    "currency": (
        {**_TEXT, "default": "USD"},
        "The currency of amounts, converted at each day's rate of the catalog: `EUR`.",
    ),
    "format": ({"enum": ["json", "csv"], "default": "json"}, "The format of the answer."),
    "units": (_YES, "Also USD per event, user and 1,000 tokens."),
    "allocate": (_YES, "Divide shared costs by the splits of the catalog."),
    "limit": ({"type": "integer", "minimum": 1, "maximum": 10_000, "default": 10}, "Most values."),
    "unit": ({"enum": list(UNITS), "default": "day"}, "What each row covers."),
    "against": (_TEXT, "The period to compare with, as `FROM..TO`. Default: the one before."),
    "month": (_TEXT, "The month of the statement: `2026-11`. Default: this month."),
    "lines": (_TEXT, "The dimension of the lines within each unit."),
    "least": (
        {"type": "number", "minimum": 0, "default": 1},
        "Leave out savings below this amount a month.",
    ),
    "dismissed": (_YES, "Also what was dismissed or is done."),
}
_ABOUT = {
    "showback": ("Get cost by dimension", "What each value of the dimensions cost."),
    "top": ("Get the most expensive values", "The values of a dimension that cost most."),
    "trend": ("Get cost over time", "Cost in each hour, day, week or month, with growth."),
    "compare": (
        "Explain a change of cost",
        "Why a period cost more or less: price, volume, mix, new and gone.",
    ),
    "chargeback": ("Get a statement of a month", "What each business unit is charged for a month."),
    "opportunities": (
        "Get possible savings",
        "What the newest analysis found, the largest first. Savings overlap: do not add them up.",
    ),
}
_PROBLEMS = {
    "400": "A parameter is invalid.",
    "401": "The key may not read.",
    "403": "The role may not do this.",
    "404": "There is no such report, or the console was started without prices.",
    "429": "Too many requests with a wrong key.",
    "503": "ClickHouse does not answer, or the catalog was not read yet: ask again.",
}
_AMOUNT = {
    "type": "string",
    "description": "USD, exact; in another currency the name ends in its code, as `cost_eur`.",
    "examples": ["12.0375"],
}
_REPORT: Document = {
    "type": "object",
    "description": "A report. Amounts are exact decimals in text; the rows add up to the total.",
    "required": ["report", "rows", "notes"],
    "properties": {
        "report": {**_TEXT, "description": "Its name."},
        "rows": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Row"},
            "description": "One for each value.",
        },
        "subtotals": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}},
        "total": {"$ref": "#/components/schemas/Row"},
        "notes": {
            "type": "array",
            "items": _TEXT,
            "description": "What to know: unpriced events, closed months.",
        },
    },
}
_ROW: Document = {
    "type": "object",
    "description": "A value of each dimension, and its amounts.",
    "properties": {"cost_usd": _AMOUNT},
    "additionalProperties": True,
}


_SAVING = {
    "id": "55afbdab", "kind": "batch tier", "team": "growth", "project": "evals", "provider": "openai", "sku": "gpt-5",
    "what": "send it as a batch", "saving_usd": "20", "monthly_usd": "85.714285714286", "share": "0.5", "events": 4210,
    "check": "can it wait for hours?", "example": "evals/1#call-17", "examples": "evals/1#call-17", "status": "open",
    "owner": "", "effort": "",
}  # fmt: skip
_EXAMPLES: Mapping[str, Document] = {
    "opportunities": {
        "report": "opportunities", "from": "2026-11-18T09:00:00+00:00", "to": "2026-11-25T09:00:00+00:00",
        "events": 301_544, "rows": [_SAVING],
        "notes": ["monthly amounts are extrapolated from 7.0 days of events", "savings overlap: do not add them up"],
    },
}  # fmt: skip
"""Answers, by the name of the report."""


@cache
def document(reports: tuple[tuple[str, frozenset[str]], ...]) -> Document:
    """Build the document of `reports`: the name of each, and the parameters that it takes."""
    about = (
        "Cost reports, made by the same code as those of `outlay report`, possible savings, and the catalog's prices."
        " The key sets the tenant."
    )
    paths = {f"/api/v1/reports/{name}": {"get": _operation(name, known)} for name, known in reports}
    paths |= {
        path: {"get": operation["get"] | {"responses": {**operation["get"]["responses"], **_refusals()}}}
        for path, operation in openapi_prices.PATHS.items()
    }
    schemas = {"Report": _REPORT, "Row": _ROW, **openapi_prices.SCHEMAS}
    return openapi("Outlay reports and prices", about, paths, schemas)


def _refusals() -> Document:
    """Return the responses that every path may give instead of an answer."""
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {code: {"description": text, "content": problem} for code, text in _PROBLEMS.items()}


def _operation(name: str, known: Iterable[str]) -> Document:
    summary, about = _ABOUT[name]
    answer = {
        "application/json": {"schema": {"$ref": "#/components/schemas/Report"}},
        "text/csv": {"schema": _TEXT},
    }
    if name in _EXAMPLES:
        answer["application/json"]["example"] = _EXAMPLES[name]
    return {
        "operationId": f"{name}Report",
        "tags": ["reports"],
        "summary": summary,
        "description": about,
        "parameters": [
            {"name": one, "in": "query", "schema": _PARAMETERS[one][0], "description": _PARAMETERS[one][1]}
            for one in _PARAMETERS
            if one in known
        ],
        "responses": {
            "200": {"description": "The report.", "content": answer},
            **_refusals(),
        },
    }
