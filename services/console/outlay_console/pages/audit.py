"""The audit log: who did what when."""

from dataclasses import replace
from urllib.parse import urlencode

from outlay_console.pages.request import Context, PageRequest
from outlay_reports.adapters.audit_trail import AUDIT_TRAIL, FAR, AuditRow, audit_row

LIMIT = 100
"""Entries of one page."""


async def audit(request: PageRequest) -> Context:
    """Return the newest entries that the filters leave, and the address of those before them."""
    actor, action = (request.params.get(name, "").strip()[:200] for name in ("actor", "action"))
    text = request.params.get("before", "")
    before = int(text) if text.isascii() and text.isdecimal() and len(text) < 17 else FAR
    bound = {"actor": actor, "action": action, "before": before, "limit": LIMIT + 1}
    rows = await request.rollups.reader.rows(AUDIT_TRAIL, **bound)
    more = (
        {"actor": actor, "action": action, "before": rows[LIMIT - 1]["micros"]} if len(rows) > LIMIT else None
    )
    return {
        "entries": [_seen(request, audit_row(row)) for row in rows[:LIMIT]],
        "actor": actor,
        "action": action,
        "older": f"/audit?{urlencode(more)}" if more else "",
    }


def _seen(request: PageRequest, row: AuditRow) -> AuditRow:
    """Return an entry without the note of a catalog, which is about all tenants, unless it is the operator who asks."""
    hidden = row.action == "catalog.publish" and not row.tenant and not request.operator
    return replace(row, details="") if hidden else row
