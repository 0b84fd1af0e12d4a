"""What could be saved: what the repricer found last, what people decided, and what a saving comes to in a month."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from outlay_kit.clickhouse import ClickHouseClient
from outlay_reports.report_table import Column, ReportTable, Row, Spent
from outlay_schemas.dimensions import name_of
from outlay_schemas.money import to_pico

_NEWEST = (
    "SELECT team, project, sku, recommendation, prerequisite, toString(saving) AS saved, events,"
    " toUnixTimestamp(since) AS low, toUnixTimestamp(until) AS high FROM opportunities"
    " WHERE (empty({tenants:Array(String)}) OR tenant IN {tenants:Array(String)}) AND id != ''"
    " AND (tenant, evaluated_at) IN (SELECT tenant, max(evaluated_at) FROM opportunities"
    " WHERE evaluated_at < toDateTime64({now:Float64}, 3, 'UTC') GROUP BY tenant)"
    " AND id NOT IN (SELECT id FROM dismissals FINAL WHERE status IN ('dismissed', 'done'))"
    " ORDER BY saving DESC, id LIMIT {n:UInt32}"
)
Status = Literal["open", "planned", "done", "dismissed"]
Effort = Literal["", "low", "medium", "high"]
STATUSES: tuple[Status, ...] = get_args(Status)
EFFORTS: tuple[Effort, ...] = get_args(Effort)
"""Empty: not estimated."""
CLOSED: frozenset[Status] = frozenset({"done", "dismissed"})
"""The statuses of what is not a possible saving any more."""
MOST = 20
_MONTH = timedelta(days=30)
_LEAST = timedelta(days=3)
"""A shorter time says too little about a month: an hour of a test is not 720 hours of it."""


@dataclass(frozen=True)
class Decision:
    """What people decided about an opportunity."""

    status: Status = "open"
    effort: Effort = ""
    owner: str = ""
    reason: str = ""

    @property
    def closed(self) -> bool:
        """Whether it is done or dismissed."""
        return self.status in CLOSED

    def action(self, old: "Decision") -> str:
        """Return what the audit log calls it to decide this after `old`."""
        if self.status == "dismissed" != old.status:
            return "opportunities.dismiss"
        return "opportunities.restore" if old.closed and not self.closed else "opportunities.change"


def decisions(clickhouse: ClickHouseClient) -> dict[str, Decision]:
    """Return what people decided, by the id of the opportunity. Raises Retryable."""
    rows = clickhouse.rows("SELECT id, status, effort, owner, reason FROM dismissals FINAL")
    return {row.pop("id"): Decision(**row) for row in rows}


def distinct_savings(found: Iterable[tuple[str, str, str, int]]) -> int:
    """Return what can be saved together at least, of (provider, SKU, recommendation, saving): savings of a SKU overlap,
    so of each SKU one recommendation counts, the one that saves most."""
    ways: dict[tuple[str, str], dict[str, int]] = {}
    for provider, sku, recommendation, saving in found:
        of_sku = ways.setdefault((provider, sku), {})
        of_sku[recommendation] = of_sku.get(recommendation, 0) + saving
    return sum(max(of_sku.values()) for of_sku in ways.values())


def newest_savings(clickhouse: ClickHouseClient, tenants: Sequence[str], now: datetime) -> ReportTable | None:
    """Return what the newest look of each tenant found, without what was dismissed; None: nothing. Raises Retryable."""
    bound = {"tenants": list(tenants), "now": now.timestamp(), "n": MOST}
    found = clickhouse.rows(_NEWEST, bound)
    if not found:
        return None
    rows = tuple(
        Row((name_of(r["team"]), r["project"], r["sku"], r["recommendation"], Spent(to_pico(r["saved"])),
             _days(r["high"] - r["low"]), r["prerequisite"]))
        for r in found
    )  # fmt: skip
    columns = (
        Column("team", "team"), Column("project", "project"), Column("sku", "of"), Column("what", "what to do"),
        Column("saving_usd", "saves", "usd"), Column("period", "in"), Column("check", "make sure"),
    )  # fmt: skip
    return ReportTable("opportunities", "What could be saved", columns, rows)


def _days(seconds: int) -> str:
    return f"{seconds / 86_400:.1f} days" if seconds >= 172_800 else f"{seconds / 3600:.0f} hours"


def monthly_saving(saving: int, since: datetime, until: datetime) -> int | None:
    """Scale a saving in the events from `since` to `until` to 30 days, pico-USD; None below three days."""
    length = until - since
    return None if length < _LEAST else round(saving * _MONTH.total_seconds() / length.total_seconds())


def saving_basis(since: datetime, until: datetime) -> str:
    """Say what monthly figures are made from."""
    length = until - since
    unit, name = (timedelta(days=1), "days") if length >= timedelta(days=2) else (timedelta(hours=1), "hours")
    text = f"{length / unit:.1f} {name}"
    if length < _LEAST:
        return f"observed in {text}; a monthly figure needs at least three days of events"
    return f"monthly amounts are extrapolated from {text} of events"
