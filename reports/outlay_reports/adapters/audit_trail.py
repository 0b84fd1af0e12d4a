"""Who did what when: the one query that the console's page and `outlay audit-log` show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

AUDIT_TRAIL = """
SELECT toUnixTimestamp64Micro(done_at) AS micros, tenant, actor, action, subject, details
FROM (
    SELECT at AS done_at, tenant, actor, action, subject, details FROM audit_log FINAL
    WHERE ({tenant:String} = '' OR tenant = {tenant:String} OR tenant = '') AND action != 'catalog.publish'
    UNION ALL
    SELECT created_at AS done_at, '' AS tenant, JSONExtractString(body, 'author') AS actor,
        'catalog.publish' AS action, concat('revision ', toString(revision)) AS subject, note AS details
    FROM catalogs FINAL
)
WHERE positionCaseInsensitiveUTF8(actor, {actor:String}) > 0 AND startsWith(action, {action:String})
    AND done_at < fromUnixTimestamp64Micro({before:Int64}, 'UTC')
ORDER BY done_at DESC, action, subject LIMIT {limit:UInt32}"""
"""Takes `tenant` (empty: all), `actor` and `action` (empty: any), `before` (Unix microseconds) and `limit`. What
concerns the whole installation is shown to each tenant. Catalogs are in `catalogs` already, each with its author."""
FAR = 4_102_444_800_000_000
"""Later than any entry: 2100, Unix microseconds."""


@dataclass(frozen=True)
class AuditRow:
    """One thing that was done."""

    at: datetime
    tenant: str
    """Empty: it concerns the whole installation."""
    actor: str
    """Empty: not recorded."""
    action: str
    subject: str
    details: str


def audit_row(row: Mapping[str, Any]) -> AuditRow:
    """Return a row of the query as a value."""
    at = datetime.fromtimestamp(row["micros"] // 1_000_000, UTC).replace(
        microsecond=row["micros"] % 1_000_000
    )
    names = ("tenant", "actor", "action", "subject", "details")
    return AuditRow(at, *(str(row[name]) for name in names))
