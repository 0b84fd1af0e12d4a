"""Reads what could be saved: what the repricer found last, and what people decided."""

from collections.abc import Sequence
from datetime import datetime

from outlay_kit.clickhouse import ClickHouseClient
from outlay_reports.report_table import Column, ReportTable, Row, Spent
from outlay_reports.savings import NEWEST_ANALYSIS, Decision, SavingsAnalysis, analysis_of
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
MOST = 20


def decisions(clickhouse: ClickHouseClient) -> dict[str, Decision]:
    """Return what people decided, by the id of the opportunity. Raises Retryable."""
    rows = clickhouse.rows("SELECT id, status, effort, owner, reason FROM dismissals FINAL")
    return {row.pop("id"): Decision(**row) for row in rows}


def newest_analysis(clickhouse: ClickHouseClient, tenant: str) -> SavingsAnalysis | None:
    """Return what the newest analysis of a tenant found, with what was decided; None: none yet. Raises Retryable."""
    return analysis_of(clickhouse.rows(NEWEST_ANALYSIS, {"tenant": tenant}))


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
