"""The totals of the demonstration: exact figures by the read-only user, for the hours that it played."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from outlay.demo.workload import TENANT
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.errors import Retryable

_RANGE = "tenant = {tenant:String} AND time >= {start:DateTime} AND time < {end:DateTime}"
_LEDGER = f"""
SELECT count() AS ledger_rows, countIf(NOT c.unpriced) AS priced, countIf(c.unpriced) AS unpriced,
    toString(sum(ifNull(cost, 0))) AS ledger_cost
FROM costs AS c WHERE {_RANGE}"""  # noqa: S608 (what is pasted are constants of this file)
_ROLLUP = f"""
SELECT toString(sum(cost)) AS rollup_cost, sum(events) AS rollup_events
FROM costs_minutely WHERE {_RANGE}"""  # noqa: S608 (the same)
_DEAD_LETTERS = (
    "SELECT count() AS dead_letters FROM dead_letters FINAL"
    " WHERE tenant = {tenant:String} AND at >= {since:DateTime64(6)}"
)
_ALERTS = "SELECT count() AS alerts FROM alerts FINAL WHERE tenant = {tenant:String}"


_STANDING = "SELECT body FROM budget_status FINAL WHERE tenant = {tenant:String} AND budget = {budget:String}"
_SPENT = """
SELECT toString(sum(cost)) AS spent FROM costs_daily
WHERE tenant = {tenant:String} AND time >= {start:DateTime('UTC')} AND time < {end:DateTime('UTC')}"""


class _Standing(msgspec.Struct):
    """What is read of a budget's standing (docs/rules.md)."""

    spent: Decimal
    period_start: datetime
    period_end: datetime


class DemoTotals:
    """Reads the totals of one run of the demonstration."""

    def __init__(self, clickhouse: ClickHouseClient, start: datetime, end: datetime, since: datetime) -> None:
        """`start` and `end` bound the events' own times; `since` is when sending began."""
        self._clickhouse = clickhouse
        whole = end.replace(second=0, microsecond=0) + timedelta(minutes=1)
        self._bound: dict[str, object] = {"tenant": TENANT, "start": start, "end": whole, "since": since}

    def read(self) -> dict[str, Any]:
        """Return the figures of the contract that the ledger and the rollups know. Raises Retryable."""
        found: dict[str, Any] = {}
        for sql in (_LEDGER, _ROLLUP, _DEAD_LETTERS, _ALERTS):
            found |= self._clickhouse.rows(sql, self._bound)[0]
        return found

    def settled(self, accepted: int) -> bool:
        """Tell whether everything accepted is in ledger and rollups, or is a dead letter."""
        try:
            found = self.read()
        except Retryable:
            return False
        rows = int(found["ledger_rows"])
        return rows + int(found["dead_letters"]) >= accepted and int(found["rollup_events"]) == rows

    def watched(self, budget: str) -> bool:
        """Tell whether the alerter has seen all that is spent in the period of a budget over everything."""
        try:
            rows = self._clickhouse.rows(_STANDING, {**self._bound, "budget": budget})
            if not rows:
                return False
            seen = msgspec.json.decode(rows[0]["body"], type=_Standing)
            bound = {**self._bound, "start": seen.period_start, "end": seen.period_end}
            return Decimal(self._clickhouse.rows(_SPENT, bound)[0]["spent"]) == seen.spent
        except Retryable:
            return False


def money(text: str) -> str:
    """Write an amount without needless zeros, exactly."""
    return f"{Decimal(text).normalize():f}"
