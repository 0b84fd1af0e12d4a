"""Reads the rollups of one tenant, as values for templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_console.adapters.readers import TenantReader
from outlay_console.domain import queries
from outlay_console.domain.chart_ranges import Bucket, starts_of
from outlay_console.domain.view import View
from outlay_kit.time_ranges import TimeRange, floor_to
from outlay_reports.incidents import Incident, incidents
from outlay_reports.money import completeness
from outlay_reports.range_sums import Selection
from outlay_schemas.alerts import AlertAction, alert_decoder
from outlay_schemas.events import Grain
from outlay_schemas.money import to_pico

CHART_VALUES = 7
"""Most values with a colour of their own in a chart."""


@dataclass(frozen=True)
class CostTotal:
    """What was spent in a span, USD: what providers charge, and what internal customers pay."""

    cost: Decimal = Decimal(0)
    events: int = 0
    unpriced: int = 0
    """Events that are not, or not wholly, priced: the amounts are lower bounds."""
    estimated: int = 0
    guessed: Decimal = Decimal(0)
    """The cost of estimated events."""
    charged: Decimal = Decimal(0)
    free: int = 0
    """Events of what the provider offers free."""

    @property
    def doubts(self) -> str:
        """What the total rests on, for people; empty: every event has a price that is known."""
        return completeness(self.unpriced, self.estimated, to_pico(self.guessed))


@dataclass(frozen=True)
class BreakdownRow:
    """One value of a dimension: USD in a span and in the one before."""

    value: str
    now: Decimal
    before: Decimal
    events: int = 0
    unpriced: int = 0
    dimension: str = ""


@dataclass
class Breakdown:
    """The values of one dimension, the most expensive first. `spent` and `before` include values past the limit."""

    rows: list[BreakdownRow] = field(default_factory=list)
    spent: CostTotal = field(default_factory=CostTotal)
    before: Decimal = Decimal(0)


@dataclass(frozen=True)
class Series:
    """Cost by bucket: for each name, one amount for each of `starts`."""

    bucket: Bucket
    starts: list[datetime]
    names: list[str]
    costs: list[list[Decimal]]


@dataclass(frozen=True)
class Freshness:
    """When the rollups last changed; all None without data."""

    newest: datetime | None
    oldest: datetime | None
    written: datetime | None


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


class RollupReader:
    """Reads the rollups of one tenant."""

    def __init__(self, reader: TenantReader) -> None:
        self._reader = reader

    async def totals(self, wanted: Mapping[str, Selection]) -> dict[str, CostTotal]:
        """Return what was spent in each of some parts, all in one question."""
        if not wanted:
            return {}
        row = (await self._reader.rows(queries.totals(list(wanted.values()))))[0]
        return {
            name: CostTotal(*(row[f"{measure}_{n}"] for measure in queries.TOTAL))
            for n, name in enumerate(wanted)
        }

    async def breakdown(
        self, view: View, span: TimeRange, more: Sequence[str] = (), limit: int = 200
    ) -> dict[str, Breakdown]:
        """Return the values of the view's dimension and of `more`, the most expensive first; at most `limit` each."""
        found: dict[str, Breakdown] = {name: Breakdown() for name in (view.by, *more)}
        for r in await self._reader.rows(queries.breakdown(view, span, limit, more)):
            one = found[r["dimension"]]
            one.spent = CostTotal(*(r[f"all_{measure}"] for measure in queries.TOTAL))
            one.before = r["all_before"]
            one.rows.append(
                BreakdownRow(r["value"], r["now"], r["before"], r["events"], r["unpriced"], r["dimension"])
            )
        for one in found.values():
            one.rows.sort(key=lambda row: (-row.now, row.value))
        return found

    async def series(self, view: View, span: TimeRange, bucket: Bucket, top: list[str]) -> Series:
        """Return cost over time of the values in `top`, and of the rest together."""
        starts = starts_of(bucket, span, view.zone)
        rows = await self._reader.rows(queries.series(view, span, starts, top))
        costs = {name: [Decimal(0)] * len(starts) for name in [*top, queries.REST]}
        for r in rows:
            costs[r["value"]][r["bucket"]] += r["cost"]
        names = [name for name in costs if name != queries.REST or any(costs[name])]
        return Series(bucket, starts, names, [costs[name] for name in names])

    async def events(self, view: View, span: TimeRange, limit: int = 200) -> list[dict[str, Any]]:
        """Return the newest events of a view; rollups name their minutes, except with a filter on users."""
        minutes = None
        if "user" not in view.filters:
            hours = await self._busy(view, TimeRange(floor_to(span.start, "hour"), span.end), "hour", limit)
            start = datetime.fromtimestamp(hours[-1], UTC) if hours else span.end
            minutes = await self._busy(view, TimeRange(max(span.start, start), span.end), "minute", limit)
            if not minutes:
                return []
        rows = await self._reader.rows(queries.events(view, span, limit, minutes))
        return [_aware(row) for row in rows]

    async def _busy(self, view: View, span: TimeRange, grain: Grain, limit: int) -> list[int]:
        """Return the newest windows (Unix seconds, newest first) that hold `limit` events together."""
        found: list[int] = []
        many = 0
        for row in await self._reader.rows(queries.busy(view, span, grain, limit)):
            if many >= limit:
                break
            found.append(row["at"])
            many += row["many"]
        return found

    async def event(self, source: str, id: str, at: int) -> dict[str, Any] | None:  # noqa: A002
        """Return one event, in the minute of `at` (Unix seconds)."""
        rows = await self._reader.rows(queries.EVENT, source=source, id=id, at=at)
        return _aware(rows[0]) if rows else None

    async def incidents(self) -> list[Incident]:
        """Return the incidents: open ones first, then the most severe, then the newest."""
        return sorted(_incidents(await self._reader.rows(queries.ALERTS)), key=lambda one: one.order)

    async def incident(self, alert: str) -> Incident | None:
        """Return the incident of an alert."""
        found = _incidents(await self._reader.rows(queries.INCIDENT, id=alert))
        return next((one for one in found if alert in [part.id for part in one.alerts]), None)

    async def alert_actions(self, now: datetime) -> dict[tuple[str, str], AlertAction]:
        """Return the user actions in force at `now`, by target (alert or rule) and action."""
        rows = await self._reader.rows(queries.ALERT_ACTIONS, now=int(now.timestamp()))
        return {(r["target"], r["action"]): AlertAction(**_aware(r)) for r in rows}

    async def opportunities(self) -> Savings:
        """Return what the newest look found that could be saved."""
        rows = await self._reader.rows(queries.OPPORTUNITIES)
        whole = next((row for row in rows if not row["id"]), None)
        if whole is None:
            return Savings()
        since, until, looked = (datetime.fromtimestamp(whole[k], UTC) for k in ("low", "high", "looked"))
        found = [row for row in rows if row["id"]]
        return Savings(since, until, looked, whole["events"], whole["saving"], found)

    async def conflicts(self) -> list[dict[str, Any]]:
        """Return identities under which events were sent that differ, the newest first."""
        return _times(await self._reader.rows(queries.CONFLICTS))

    async def high_cardinality(self) -> list[dict[str, Any]]:
        """Return producers that sent more values in a minute than its rollup names, the newest first."""
        return _times(await self._reader.rows(queries.HIGH_CARDINALITY))

    async def clock_skew(self, since: datetime) -> list[dict[str, Any]]:
        """Return by source how long after its events they were accepted, in seconds, the largest skew first."""
        return await self._reader.rows(queries.CLOCK_SKEW, low=int(since.timestamp()))

    async def unpriced(self, since: datetime) -> list[dict[str, Any]]:
        """Return what has no price, by provider and SKU."""
        return _times(await self._reader.rows(queries.UNPRICED, low=int(since.timestamp())))

    async def dead_letters(self) -> list[dict[str, Any]]:
        """Return dead letters by reason."""
        return _times(await self._reader.rows(queries.DEAD_LETTERS))

    async def health(self, since: datetime) -> dict[str, Any]:
        """Return sums that tell how good the data is."""
        return (await self._reader.rows(queries.HEALTH, low=int(since.timestamp())))[0]

    async def written(self) -> int:
        """Return when the rollups last changed, Unix milliseconds. Days are computed last."""
        return int((await self._reader.rows(queries.WRITTEN))[0]["written"])

    async def fresh(self) -> Freshness:
        """Return how recent the rollups are."""
        row = (await self._reader.rows(queries.NEWEST))[0]
        if not row["windows"]:
            return Freshness(None, None, None)
        written = datetime.fromtimestamp(row["written"] // 1000, UTC) + timedelta(
            milliseconds=row["written"] % 1000
        )
        return Freshness(
            datetime.fromtimestamp(row["newest"], UTC), datetime.fromtimestamp(row["oldest"], UTC), written
        )


def _times(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "newest": datetime.fromtimestamp(row["newest"], UTC)} for row in rows]


def _incidents(rows: Sequence[Mapping[str, Any]]) -> list[Incident]:
    stored = [(alert_decoder.decode(row["body"]), str(row["stands"])) for row in rows]
    return incidents((alert, state) for alert, state in stored if state != "pending")


def _aware(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for k, v in row.items()}
