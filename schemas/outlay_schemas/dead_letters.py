"""Builds the dead letters of every service."""

from datetime import datetime
from typing import Literal, Protocol

import msgspec

from outlay_schemas.digests import digest
from outlay_schemas.errors import UNREADABLE
from outlay_schemas.events import DeadLetter

MOST_BAD = 1000
"""Bad lines of a record that get a dead letter each. The rest of the record is one more, unread."""


class Reason(Protocol):
    """Why input cannot be used: `outlay_schemas.errors.Invalid` and its likes."""

    @property
    def code(self) -> str:
        """Stable; docs/errors.md lists them."""

    @property
    def message(self) -> str:
        """What is wrong and what to do."""

    @property
    def path(self) -> str:
        """The place in the input."""


class _Owner(msgspec.Struct):
    tenant: str = ""
    data: object = None


def dead_letter(
    stage: Literal["ingest", "pricer", "aggregator"],
    body: bytes,
    reason: Reason,
    at: datetime,
    *,
    line: int,
    tenant: str = "",
    place: tuple[str, int, int] | None = None,
) -> DeadLetter:
    """Return the dead letter of `body`. `line` counts from 0 in the request or record. `place`: topic, partition and
    offset of the record; None before Kafka. Without `tenant` the body's own is used. The id depends on place and
    bytes only (before Kafka: tenant and bytes), so that the same input gives the same dead letter again."""
    topic, partition, offset = place or ("", -1, -1)
    origin = (topic, str(partition), str(offset), str(line)) if place else (stage, tenant)
    return DeadLetter(
        id=digest((*origin, body)), tenant=tenant_of(body) if place and not tenant else tenant, stage=stage,
        code=reason.code, message=reason.message, path=reason.path, at=at, body=body,
        topic=topic, partition=partition, offset=offset, line=line,
    )  # fmt: skip


def tenant_of(body: bytes) -> str:
    """Return the tenant that an event names, at its top or in the data of a CloudEvent; "" if it names none."""
    try:
        found = msgspec.json.decode(body, type=_Owner)
    except UNREADABLE:
        return ""
    inside = found.data.get("tenant") if isinstance(found.data, dict) else ""
    return (found.tenant or (inside if isinstance(inside, str) else ""))[:256]
