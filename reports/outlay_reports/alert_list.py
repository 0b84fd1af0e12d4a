"""The stored alerts as lists show them: open ones first, then the newest, and a sentence about those left out."""

# ruff: noqa: S608 (only conditions of our own are pasted)

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from outlay_reports.incidents import Incident, incidents
from outlay_schemas.alerts import Alert, alert_decoder

MOST = 500
"""Alerts that one list shows."""
STANDS = "if(ended_reason = '', state, ended_reason) AS stands"
"""The stored state of an alert."""
_ORDER = "ORDER BY state = 'resolved', written_at DESC, id"


def alert_statement(where: str, tenants: str = "true") -> str:
    """Return the SQL for the alerts that meet a condition, at most {limit:UInt32}, and the others of their incidents;
    `AlertList.of` takes its rows. `tenants`: the condition on the tenant.

    A pending alert, which may never fire, is on no list.
    """
    every = f"alerts FINAL WHERE {tenants} AND state != 'pending'"
    chosen = f"{every} AND ({where})"
    return (
        f"SELECT {STANDS}, body, (SELECT count() FROM {chosen}) AS stored,"
        f" (tenant, id) IN (SELECT tenant, id FROM {chosen} {_ORDER} LIMIT {{limit:UInt32}}) AS chosen"
        f" FROM {every} AND (tenant, incident) IN"
        f" (SELECT tenant, incident FROM {chosen} {_ORDER} LIMIT {{limit:UInt32}}) {_ORDER}"
    )


@dataclass(frozen=True)
class AlertList:
    """The incidents of the alerts that were asked for, and how many of these are stored."""

    incidents: list[Incident]
    chosen: frozenset[str]
    """Ids of the alerts that were asked for; the others of their incidents are there to count and sum with."""
    stored: int

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> "AlertList":
        """Read the rows of `alert_statement`."""
        rows = list(rows)
        found = [(alert_decoder.decode(row["body"]), str(row["stands"])) for row in rows]
        pairs = zip(found, rows, strict=True)
        chosen = frozenset(alert.id for (alert, _), row in pairs if row["chosen"])
        asked = [one for one in incidents(found) if not chosen.isdisjoint(alert.id for alert in one.alerts)]
        return cls(asked, chosen, rows[0]["stored"] if rows else 0)

    @property
    def alerts(self) -> list[tuple[Alert, str]]:
        """The alerts that were asked for, each with its incident as it is now and its stored state."""
        return [
            (alert, state)
            for one in self.incidents
            for alert, state in zip(one.alerts, one.states, strict=True)
            if alert.id in self.chosen
        ]

    @property
    def rows(self) -> list[dict[str, object]]:
        """The alerts for JSON. `as_of`: the time of `actual` and `contributors`; `incident` is as it is now."""
        return [
            {**msgspec.to_builtins(alert), "state": state, "as_of": alert.figures_at}
            for alert, state in self.alerts
        ]

    def current(self, now: datetime) -> "AlertList":
        """Return the list without alerts of a period that has ended."""
        text = f"{now:%Y-%m-%d %H:%M} UTC"
        chosen = frozenset(alert.id for alert, _ in self.alerts if alert.facts.get("until", text) >= text)
        left = [one for one in self.incidents if not chosen.isdisjoint(alert.id for alert in one.alerts)]
        return AlertList(left, chosen, self.stored)

    @property
    def left_out(self) -> str:
        """Says that there are more alerts; empty: these are all."""
        if self.stored <= len(self.chosen):
            return ""
        return f"Showing {len(self.chosen):,} of {self.stored:,} alerts: open ones first, then the newest."
