"""The contracts for other languages: JSON Schema of each message, AsyncAPI of the topics, made of the code (a test
compares). `python -m outlay_schemas.documents schemas` writes schemas/json/*.json and schemas/asyncapi.json."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from outlay_schemas import topics
from outlay_schemas.alerts import Alert
from outlay_schemas.catalog import Catalog
from outlay_schemas.cloudevents import CloudEvent
from outlay_schemas.errors import PROBLEM
from outlay_schemas.events import CostEvent, DeadLetter, RollupWindow, UsageEvent
from outlay_schemas.examples import examples
from outlay_schemas.grammar import MAX_QUANTITY
from outlay_schemas.validate import MAX_METERS, MAX_TAGS

Document = dict[str, Any]
_VERSION = "0.1.0"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_STRUCTS: Mapping[str, type[msgspec.Struct]] = {
    "usage-event": UsageEvent,
    "usage-cloudevent": CloudEvent,
    "cost-event": CostEvent,
    "dead-letter": DeadLetter,
    "rollup-window": RollupWindow,
    "alert": Alert,
}
_CHANNELS = {
    "usage-event": (
        topics.USAGE_EVENTS,
        "What was used. A CloudEvents identity: `source` and `id`, counted once.",
    ),
    "dead-letter": (topics.DEAD_LETTER, "What could not be used, whole, with its reason."),
    "cost-event": (
        topics.COST_EVENTS,
        "Usage with its price and its owner, as of one revision of the catalog.",
    ),
    "rollup-window": (topics.ROLLUPS, "The absolute state of one tenant's minute, hour or day."),
    "alert": (topics.ALERTS, "Crossings of budgets and rules, each once under one id."),
    "catalog": (topics.CATALOG, "Prices, owners, rules and budgets: one numbered revision."),
}


_ABOUT = {name: about for name, (_, about) in _CHANNELS.items()} | {
    "usage-cloudevent": "A usage event as a CloudEvent: this is the structured mode; the binary one is read too."
}


def schemas() -> dict[str, Document]:
    """Return the JSON Schema of each message, by name, with its `$id`, a title and an example."""
    found = {name: usage_schema(struct) for name, struct in _STRUCTS.items()}
    found["catalog"] = {"$schema": _DIALECT, **Catalog.model_json_schema(mode="serialization")}
    shown = examples()
    return {
        name: {
            **schema, "$id": f"urn:outlay:schema:{name}", "title": name.replace("-", " ").capitalize(),
            "description": _ABOUT[name], "examples": [shown[name]],
        }
        for name, schema in found.items()
    }  # fmt: skip


def usage_schema(struct: type[msgspec.Struct]) -> Document:
    """Return the JSON Schema of a message: its types, and the rules that its types cannot say."""
    schema: Document = _exact(msgspec.json.schema(struct))
    if struct is UsageEvent:
        fields = schema["$defs"]["UsageEvent"]["properties"]
        fields["usage"] |= {
            "minProperties": 1,
            "maxProperties": MAX_METERS,
            "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,63}$"},
            "description": "Meter to quantity: not negative, at most 1e15, at most 9 decimal places.",
        }
        for name in ("tags", "attributes"):
            fields[name]["maxProperties"] = MAX_TAGS
    return {"$schema": _DIALECT, **schema}


def _exact(value: Any) -> Any:
    """Say of decimals what a reader takes: text, or a number as it is written."""
    if isinstance(value, dict):
        if value.get("format") == "decimal" and value.get("type") == "string":
            return {
                "anyOf": [
                    {"type": "string", "format": "decimal", "pattern": r"^\d+(\.\d+)?([eE][+-]?\d+)?$"},
                    {"type": "number", "minimum": 0, "maximum": MAX_QUANTITY},
                ]
            }
        return {name: _exact(inner) for name, inner in value.items()}
    return [_exact(inner) for inner in value] if isinstance(value, list) else value


def openapi(title: str, about: str, paths: Document, schemas: Document) -> Document:
    """Return an OpenAPI 3.1 document: `paths` that need an API key, and `schemas` that they name beside `Problem`."""
    license_ = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": _VERSION, "license": license_, "description": about},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": PROBLEM},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "out_live_…"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def asyncapi() -> Document:
    """Return the AsyncAPI 3.0 document of the Kafka topics."""
    channels: Document = {}
    messages: Document = {}
    operations: Document = {}
    for name, (topic, about) in _CHANNELS.items():
        key = name.replace("-", "_")
        channels[key] = {
            "address": topic.name,
            "description": about,
            "messages": {key: {"$ref": f"#/components/messages/{key}"}},
            "bindings": {"kafka": {"topic": topic.name, "partitions": topic.partitions, "replicas": 1}},
        }
        messages[key] = _message(name, about, "json" if name == "catalog" else "x-ndjson")
        operations[f"read_{key}"] = {"action": "receive", "channel": {"$ref": f"#/channels/{key}"}}
    cloud, about = "usage_cloudevent", _ABOUT["usage-cloudevent"]
    channels["usage_event"]["messages"][cloud] = {"$ref": f"#/components/messages/{cloud}"}
    messages[cloud] = _message("usage-cloudevent", about, "cloudevents+json")
    operations["write_usage_event"] = {"action": "send", "channel": {"$ref": "#/channels/usage_event"}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Outlay's Kafka topics",
            "version": _VERSION,
            "license": {"name": "Apache-2.0"},
            "description": "A record holds one JSON object or many, one a line (NDJSON); every reader accepts both.",
        },
        "defaultContentType": "application/x-ndjson",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _message(name: str, about: str, media: str) -> Document:
    schema = {"$ref": f"json/{name}.json"}
    payload = {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": schema}
    return {"name": name, "title": about, "contentType": f"application/{media}", "payload": payload}


def files() -> dict[str, str]:
    """Return every document as text, by its path in the folder `schemas`."""
    found = {f"json/{name}.json": schema for name, schema in schemas().items()}
    found["asyncapi.json"] = asyncapi()
    return {path: json.dumps(document, indent=2, sort_keys=True) + "\n" for path, document in found.items()}


def main() -> None:
    """Write the documents into a folder."""
    folder = Path(sys.argv[1])
    for path, text in files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


if __name__ == "__main__":
    main()
