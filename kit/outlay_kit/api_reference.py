"""An OpenAPI document, and the same as a page for people at /docs. Needs `outlay-kit[http]`.

The page is one HTML file without scripts: it works offline, behind a strict content security policy, and in every
service that has an API.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from html import escape
from importlib import resources
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from outlay_schemas.documents import Document


def reference_routes(document: Callable[[], Document]) -> list[Route]:
    """Return the routes of /openapi.json, /docs and its style sheet."""

    async def as_json(_: Request) -> Response:
        return Response(msgspec.json.encode(document()), media_type="application/json")

    async def as_page(_: Request) -> Response:
        return HTMLResponse("".join(_page(document())))

    async def style(_: Request) -> Response:
        text = resources.files("outlay_kit").joinpath("api_reference.css").read_text("utf-8")
        return Response(text, media_type="text/css")

    return [Route("/openapi.json", as_json), Route("/docs", as_page), Route("/docs.css", style)]


def _page(document: Document) -> Iterator[str]:
    info = document["info"]
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    yield f"""<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(info["title"])} API</title>
<link rel="stylesheet" href="/docs.css">
<main>
<h1>{escape(info["title"])} API <small>{escape(info["version"])}</small></h1>
<p>{_text(info["description"])}</p>
<p>Send a key with each request: <code>Authorization: Bearer out_live_…</code> or <code>X-API-Key</code>.
<code>outlay keys create</code> makes one. For tools: <a href="/openapi.json">openapi.json</a> (OpenAPI
{escape(document["openapi"])}).</p>
<nav aria-label="Operations"><ul>
"""
    for method, path, operation in operations:
        summary = escape(operation["summary"])
        yield f'<li><a href="#{_anchor(operation)}"><code>{method} {escape(path)}</code></a> {summary}</li>\n'
    yield "</ul></nav>\n"
    for method, path, operation in operations:
        yield from _operation(method, path, operation)
    yield "<h2>Schemas</h2>\n"
    for name, schema in document["components"]["schemas"].items():
        yield f'<section id="{escape(name)}"><h3>{escape(name)}</h3>\n'
        yield f"<p>{_text(schema.get('description', ''))}</p>\n"
        yield from _fields(schema)
        yield "</section>\n"
    yield "</main>\n</html>\n"


def _operation(method: str, path: str, operation: Document) -> Iterator[str]:
    yield f'<section id="{_anchor(operation)}"><h2>{escape(operation["summary"])}</h2>\n'
    yield f'<p class="call"><code>{method} {escape(path)}</code></p>\n'
    yield f"<p>{_text(operation.get('description', ''))}</p>\n"
    if parameters := operation.get("parameters"):
        given = [
            (
                _name(one["name"], needed=one.get("required", False)),
                one["in"],
                _type(one["schema"]),
                _said(one),
            )
            for one in parameters
        ]
        yield from _table(("Parameter", "In", "Type", "Meaning"), given)
    if body := operation.get("requestBody"):
        yield f"<h3>Body</h3>\n<p>{', '.join(_shape(body))}</p>\n"
        yield from (_example(content) for content in body["content"].values())
    yield "<h3>Responses</h3>\n"
    rows = [
        (status, _text(one["description"]), ", ".join(_shape(one)))
        for status, one in operation["responses"].items()
    ]
    yield from _table(("Status", "Meaning", "Body"), rows)
    contents = [
        one for response in operation["responses"].values() for one in response.get("content", {}).values()
    ]
    yield from map(_example, contents)
    yield "</section>\n"


def _fields(schema: Document) -> Iterator[str]:
    required = set(schema.get("required", ()))
    rows = [
        (_name(name, needed=name in required), _type(field), _said(field))
        for name, field in schema.get("properties", {}).items()
    ]
    if rows:
        yield from _table(("Field", "Type", "Meaning"), rows)


def _name(name: str, *, needed: bool) -> str:
    return name if needed else f"{name} (optional)"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Return a table; the first cell of a row is a name, the others are HTML."""
    yield (
        "<div><table><thead><tr>"
        + "".join(f'<th scope="col">{name}</th>' for name in head)
        + "</tr></thead><tbody>\n"
    )
    for name, *cells in rows:
        yield (
            f"<tr><td><code>{escape(name)}</code></td>"
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + "</tr>\n"
        )
    yield "</tbody></table></div>\n"


def _type(schema: Document) -> str:
    """Return the type of a schema as HTML; one that has a name links to it."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        return f'<a href="#{escape(name)}">{escape(name)}</a>'
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(one) for one in choices))
    if "enum" in schema:
        return " or ".join(f"<code>{escape(json.dumps(one))}</code>" for one in schema["enum"])
    named = schema.get("type", "any")
    text = " or ".join(named) if isinstance(named, list) else str(named)
    if "items" in schema:
        return f"{text} of {_type(schema['items'])}"
    return escape(f"{text} ({schema['format']})" if "format" in schema else text)


def _said(described: Document) -> str:
    """Return the description of a field or parameter, and its limits."""
    schema: dict[str, Any] = {**described, **described.get("schema", {})}
    limits = [f"{word} {schema[key]}" for key, word in _LIMITS.items() if key in schema]
    text = str(described.get("description", schema.get("description", "")))
    return _text(" ".join((text, *([f"({', '.join(limits)})"] if limits else []))).strip())


def _text(text: str) -> str:
    """Return a text as HTML; what stands between backticks is code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


_LIMITS = {
    "default": "default", "minimum": "at least", "maximum": "at most", "maxLength": "length at most",
    "maxItems": "items at most", "maxProperties": "entries at most",
}  # fmt: skip


def _shape(body: Document) -> list[str]:
    return [
        f"<code>{escape(media)}</code> {_type(content['schema']) if 'schema' in content else ''}".strip()
        for media, content in body.get("content", {}).items()
    ]


def _example(content: Document) -> str:
    if "example" not in content:
        return ""
    example = content["example"]
    text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
    return f"<pre><code>{escape(text)}</code></pre>\n"


def _anchor(operation: Document) -> str:
    return escape(operation["operationId"])
