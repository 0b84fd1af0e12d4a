"""The stored alerts as lists show them: open ones first, then the newest, and a sentence about those left out."""

# ruff: noqa: S608 (only conditions of our own are pasted)

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from outlay_reports.incidents import Incident, incidents
from outlay_schemas.alerts import Alert, alert_decoder

MOST = 500
"""Alerts that one list shows."""


def alert_statement(where: str) -> str:
    """Return the SQL for the alerts that meet a condition, at most {limit:UInt32}; `AlertList.of` takes its rows.

    A pending alert, which may never fire, is on no list.
    """
    chosen = f"alerts FINAL WHERE {where} AND state != 'pending'"
    return (
        "SELECT if(ended_reason = '', state, ended_reason) AS stands, body,"
        f" (SELECT count() FROM {chosen}) AS stored"
        f" FROM {chosen} ORDER BY state = 'resolved', written_at DESC, id LIMIT {{limit:UInt32}}"
    )


@dataclass(frozen=True)
class AlertList:
    """Alerts, each with its stored state, and how many are stored."""

    alerts: list[tuple[Alert, str]]
    stored: int

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> "AlertList":
        """Read the rows of `alert_statement`."""
        rows = list(rows)
        found = [(alert_decoder.decode(row["body"]), str(row["stands"])) for row in rows]
        return cls(found, rows[0]["stored"] if rows else 0)

    @property
    def incidents(self) -> list[Incident]:
        """The alerts by incident."""
        return incidents(self.alerts)

    @property
    def left_out(self) -> str:
        """Says that there are more alerts; empty: these are all."""
        if self.stored <= len(self.alerts):
            return ""
        return f"Showing {len(self.alerts):,} of {self.stored:,} alerts: open ones first, then the newest."
