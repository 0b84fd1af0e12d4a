"""Reads the rollups of one tenant, as values for templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any

from outlay_console.adapters.readers import TenantReader
from outlay_console.domain import queries
from outlay_console.domain.breakdown import Breakdown, BreakdownRow, CostTotal
from outlay_console.domain.roles import within_teams
from outlay_console.domain.saved import NOTE, NOTES, SAVED_VIEWS, SavedView, saved_view
from outlay_console.domain.view import Bucket, View, starts_of
from outlay_kit.time_ranges import TimeRange, floor_to
from outlay_reports.alert_list import MOST, AlertList
from outlay_reports.incidents import Incident, incidents
from outlay_reports.range_sums import Selection, needs_ledger, sums
from outlay_schemas.alerts import Alert, AlertAction, alert_decoder
from outlay_schemas.currency import USD, Currency, rounded
from outlay_schemas.events import Grain
from outlay_schemas.notes import Note

_VALUES = 50
"""Values that a picker offers."""
_FREE_SECONDS = 7 * 86_400
CHART_VALUES = 7
"""Most values with a colour of their own in a chart."""


@dataclass(frozen=True)
class Series:
    """Cost by bucket: for each name, one amount for each of `starts`."""

    starts: list[datetime]
    names: list[str]
    costs: list[list[Decimal]]
    bounds: list[list[int]]
    """For each name, the places of the costs that are lower bounds: events in them have no price."""


@dataclass(frozen=True)
class Freshness:
    """When the rollups last changed; all None without data."""

    newest: datetime | None = None
    oldest: datetime | None = None
    written: datetime | None = None

    def usual_range(self, now: datetime) -> str:
        """Return the smallest range that shows everything there is, a day at most."""
        return "3h" if self.oldest and now - self.oldest < timedelta(hours=3) else "24h"


@dataclass(frozen=True)
class Savings:
    """The newest opportunities; None before the first analysis."""

    since: datetime | None = None
    until: datetime | None = None
    looked: datetime | None = None
    events: int = 0
    cached: Decimal = Decimal(0)
    """USD that prompt caching has saved already."""
    found: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class RollupReader:
    """Reads the rollups of one tenant."""

    reader: TenantReader

    async def totals(self, wanted: Mapping[str, Selection], currency: Currency = USD) -> dict[str, CostTotal]:
        """Return what was spent in each of some parts, all in one question. Raises NoRateError."""
        (row,) = await self.reader.rows(
            sums(list(wanted.values()), measures=queries.TOTAL, currency=currency)
        )
        return {
            name: CostTotal.of([row[f"{measure}_{n}"] for measure in queries.TOTAL], currency)
            for n, name in enumerate(wanted)
        }

    async def breakdown(
        self,
        view: View,
        spans: tuple[TimeRange, TimeRange],
        more: Sequence[str] = (),
        limit: int = 200,
        after: int = 0,
    ) -> dict[str, Breakdown]:
        """Return the rows of the view (''), and the values of `more`, the most expensive first; at most `limit` each.

        `spans`: the range, and the one that it is compared with. `after`: how many rows to leave out before these;
        nothing is found, not even totals, where there are not more.
        """  # fmt: skip
        found: dict[str, Breakdown] = {name: Breakdown() for name in ("", *more)}
        for r in await self.reader.rows(queries.breakdown(view, spans, limit, more, after)):
            one = found[r["dimension"]]
            row = BreakdownRow(
                r["value"], rounded(r["now"]), rounded(r["before"]), r["events"], r["unpriced"], r["dimension"],
                r["unpriced_before"],
            )  # fmt: skip
            if not one.rows:
                measures = [r[f"all_{measure}"] for measure in queries.TOTAL]
                one.spent = CostTotal.of(measures, view.currency, view.amount)
                one.before, one.unpriced_before = rounded(r["all_before"]), r["all_unpriced_before"]
                one.count = r["all_rows"]
                if after:
                    so_far = [r[f"so_far_{name}"] for name in queries.SHOWN]
                    one.earlier = BreakdownRow.of(so_far, row.dimension, rows=after + 1).less(row)
            one.rows.append(row)
        for one in found.values():
            one.rows.sort(key=lambda row: (-row.now, -row.before, row.value))
        return found

    async def series(self, view: View, span: TimeRange, bucket: Bucket, top: list[str]) -> Series:
        """Return the amount of the view over time of the values in `top`, and of the rest together."""
        starts = starts_of(bucket, span, view.zone)
        rows = await self.reader.rows(queries.series(view, span, starts, top))
        every = [*top, queries.REST]
        costs = {name: [Decimal(0)] * len(starts) for name in every}
        bounds: dict[str, list[int]] = {name: [] for name in every}
        for r in rows:
            costs[r["value"]][r["bucket"]] = rounded(r["cost"])
            if r["unpriced"]:
                bounds[r["value"]].append(r["bucket"])
        names = [name for name in every if name in top or any(costs[name]) or bounds[name]]
        return Series(starts, names, [costs[name] for name in names], [bounds[name] for name in names])

    async def values(self, view: View, now: datetime, name: str, text: str) -> list[str]:
        """Return the values of a dimension in a view that contain a text, the most expensive first."""
        asked = replace(view, by=name, then=(), filters={f"{name}~": (text,)} if text else {})
        found = await self.breakdown(asked, (view.span(now),) * 2, limit=_VALUES)
        return [row.value for row in found[""].rows]

    async def free_names(self, now: datetime) -> list[str]:
        """Return the tags and attributes that events of the last days have."""
        rows = await self.reader.rows(queries.FREE_NAMES, low=int(now.timestamp()) - _FREE_SECONDS)
        return [row["name"] for row in rows]

    async def events(self, view: View, span: TimeRange, limit: int = 200) -> list[dict[str, Any]]:
        """Return the newest events of a view; rollups name their minutes, except with a filter on users."""
        minutes = None
        if not needs_ledger(view.filters, exact=True):
            hours = await self._busy(view, TimeRange(floor_to(span.start, "hour"), span.end), "hour", limit)
            start = _utc(hours[-1]) if hours else span.end
            minutes = await self._busy(view, TimeRange(max(span.start, start), span.end), "minute", limit)
            if not minutes:
                return []
        rows = await self.reader.rows(queries.events(view, span, limit, minutes))
        return [_aware(row) for row in rows]

    async def _busy(self, view: View, span: TimeRange, grain: Grain, limit: int) -> list[int]:
        """Return the newest windows (Unix seconds, newest first) that hold `limit` events together."""
        rows = await self.reader.rows(queries.busy(view, span, grain, limit))
        before = accumulate((row["many"] for row in rows), initial=0)
        return [row["at"] for row, many in zip(rows, before, strict=False) if many < limit]

    async def event(self, source: str, id: str, at: int) -> dict[str, Any] | None:  # noqa: A002
        """Return one event, in the minute of `at` (Unix seconds)."""
        rows = await self.reader.rows(queries.EVENT, source=source, id=id, at=at)
        return _aware(rows[0]) if rows else None

    async def incidents(self) -> list[Incident]:
        """Return the incidents: open ones first, then the most severe, then the newest."""
        return (await self.alerts())[0]

    async def alerts(self) -> tuple[list[Incident], str]:
        """Return the incidents, and a sentence if there are more alerts."""
        listed = AlertList.of(await self.reader.rows(queries.ALERTS, limit=MOST))
        found = self._seen(listed.incidents)
        if self.reader.teams and listed.left_out:  # the numbers are about other teams, too
            return found, f"Only the newest {MOST:,} alerts were searched for those of your teams."
        return found, listed.left_out

    async def incident(self, alert: str) -> Incident | None:
        """Return the incident of an alert."""
        found = self._seen(_incidents(await self.reader.rows(queries.INCIDENT, id=alert)))
        return next((one for one in found if alert in [part.id for part in one.alerts]), None)

    def _seen(self, found: Sequence[Incident]) -> list[Incident]:
        """Return the incidents that may be seen: by a viewer of teams, those about these teams and no others."""
        teams = self.reader.teams
        return [one for one in found if all(within_teams(part.scope_values, teams) for part in one.alerts)]

    async def alert_messages(self, incident: Incident) -> list[tuple[datetime, str, str]]:
        """Return the notifications about an incident: when, by which channel, and what became of it."""
        low = int(incident.opened_at.timestamp())
        rows = await self.reader.rows(queries.ALERT_MESSAGES, incident=incident.id, low=low)
        return [(_utc(row["newest"]), row["channel"], row["state"]) for row in rows]

    async def alert_versions(self, incident: Incident) -> list[Alert]:
        """Return what was decided about the alerts of an incident, the oldest first."""
        low = int(incident.opened_at.timestamp())
        rows = await self.reader.rows(queries.ALERT_VERSIONS, incident=incident.id, low=low)
        return [alert_decoder.decode(row["body"]) for row in rows]

    async def alert_actions(self, now: datetime) -> dict[tuple[str, str], AlertAction]:
        """Return the user actions in force at `now`, by target (alert or rule) and action."""
        rows = await self.reader.rows(queries.ALERT_ACTIONS, now=int(now.timestamp()))
        return {(r["target"], r["action"]): AlertAction(**_aware(r)) for r in rows}

    async def opportunities(self) -> Savings:
        """Return what the newest look found that could be saved."""
        rows = await self.reader.rows(queries.OPPORTUNITIES)
        whole = next((row for row in rows if not row["id"]), None)
        if whole is None:
            return Savings()
        since, until, looked = (_utc(whole[name]) for name in ("low", "high", "looked"))
        found = [row for row in rows if row["id"]]
        return Savings(since, until, looked, whole["events"], whole["saving"], found)

    async def saved_views(self, owner: str) -> list[SavedView]:
        """Return the views that are shared, and those of `owner`; none for a viewer of teams, as views name others."""
        if self.reader.teams:
            return []
        return [saved_view(row) for row in await self.reader.rows(SAVED_VIEWS, owner=owner)]

    async def notes(self, span: TimeRange) -> list[Note]:
        """Return the notes on a span, the newest first; none for a viewer of teams, as notes are about the tenant."""
        if self.reader.teams:
            return []
        low, high = (int(at.timestamp()) for at in (span.start, span.end))
        return [Note(**_aware(row)) for row in await self.reader.rows(NOTES, low=low, high=high)]

    async def note(self, id: str) -> Note | None:  # noqa: A002
        """Return a note."""
        rows = await self.reader.rows(NOTE, id=id)
        return Note(**_aware(rows[0])) if rows else None

    async def rows(self, sql: str, since: datetime | None = None) -> list[dict[str, Any]]:
        """Return the rows of a statement of queries.py that takes no more than `since`; `newest` as a time."""
        bound = {} if since is None else {"low": int(since.timestamp())}
        rows = await self.reader.rows(sql, **bound)
        return [{**row, "newest": _utc(row["newest"])} if "newest" in row else row for row in rows]

    async def written(self) -> int:
        """Return when the rollups last changed, Unix milliseconds. Days are computed last."""
        return int((await self.reader.rows(queries.WRITTEN))[0]["written"])

    async def fresh(self) -> Freshness:
        """Return how recent the rollups are."""
        row = (await self.reader.rows(queries.NEWEST))[0]
        if not row["windows"]:
            return Freshness()
        newest, oldest, seconds = (_utc(at) for at in (row["newest"], row["oldest"], row["written"] // 1000))
        return Freshness(newest, oldest, seconds + timedelta(milliseconds=row["written"] % 1000))


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _incidents(rows: Sequence[Mapping[str, Any]]) -> list[Incident]:
    stored = [(alert_decoder.decode(row["body"]), str(row["stands"])) for row in rows]
    return incidents(stored)


def _aware(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for k, v in row.items()}
