"""The catalog's budgets and rules as the domain wants them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal
from typing import TypedDict, TypeVar
from zoneinfo import ZoneInfo

from outlay_alerter.domain.watches import (
    Anomaly,
    Budget,
    Burn,
    Increase,
    Mute,
    NewSpender,
    PriceChange,
    Scope,
    Silence,
    SpendSpike,
    Threshold,
    Watch,
)
from outlay_kit.spans import Anchor
from outlay_schemas.catalog import watch as schema
from outlay_schemas.catalog.model import Catalog, decode_catalog
from outlay_schemas.catalog.watch import ScopeKey
from outlay_schemas.money import to_pico

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
R = TypeVar(
    "R",
    schema.SpendSpike,
    schema.Anomaly,
    schema.Threshold,
    schema.NewSpender,
    schema.Silence,
    schema.PriceChange,
)


@dataclass(frozen=True, slots=True)
class Watchlist:
    """What one catalog watches."""

    catalog: Catalog

    def budgets(self, tenant: str) -> list[Budget]:
        """Return the budgets of a tenant, those of every tenant (`*`) included."""
        return [budget_of(b, tenant) for b in self.catalog.budgets if b.tenant in ("*", tenant)]

    def budget(self, tenant: str, name: str) -> Budget | None:
        """Return one budget of a tenant; None: there is none of that id."""
        found = (b for b in self.catalog.budgets if b.id == name and b.tenant in ("*", tenant))
        return next((budget_of(b, tenant) for b in found), None)

    def spikes(self, tenant: str) -> list[SpendSpike]:
        """Return the spend spike rules of a tenant."""
        return [spike_of(r, tenant) for r in self._rules(tenant, schema.SpendSpike)]

    def anomalies(self, tenant: str) -> list[Anomaly]:
        """Return the anomaly rules of a tenant."""
        return [anomaly_of(r, tenant) for r in self._rules(tenant, schema.Anomaly)]

    def others(self, tenant: str) -> list[Threshold | NewSpender | Silence | PriceChange]:
        """Return the thresholds, new spenders, silences and price changes of a tenant."""
        return [
            *(threshold_of(r, tenant) for r in self._rules(tenant, schema.Threshold)),
            *(newcomer_of(r, tenant) for r in self._rules(tenant, schema.NewSpender)),
            *(silence_of(r, tenant) for r in self._rules(tenant, schema.Silence)),
            *(change_of(r, tenant) for r in self._rules(tenant, schema.PriceChange)),
        ]

    def mutes(self, tenant: str) -> list[Mute]:
        """Return the times in which people are not told of a tenant's alerts."""
        return [mute_of(m) for m in self.catalog.mutes if m.tenant in ("*", tenant)]

    def watches(self, tenant: str) -> dict[str, Watch]:
        """Return all of a tenant's budgets and rules by id."""
        every: list[Watch] = [*self.budgets(tenant), *self.spikes(tenant), *self.anomalies(tenant)]
        return {watch.id: watch for watch in [*every, *self.others(tenant)]}

    def _rules(self, tenant: str, kind: type[R]) -> list[R]:
        return [r for r in self.catalog.rules if isinstance(r, kind) and r.tenant in ("*", tenant)]


def budget_of(b: schema.Budget, tenant: str) -> Budget:
    """Return a budget of the catalog as the domain wants it."""
    return Budget(
        **_watch(b, tenant), amount=to_pico(Decimal(b.amount)), period=b.period, zone=ZoneInfo(b.timezone),
        thresholds=tuple(b.thresholds), anchor=Anchor(b.anchor_day, b.anchor_month),
        rolling=timedelta(days=b.rolling_days) if b.rolling_days else None,
        forecasts=tuple(b.forecast_thresholds),
        burns=tuple(Burn(timedelta(seconds=int(n.hours * 3600)), n.rate, n.severity) for n in b.burn),
        increases=tuple(Increase(to_pico(i.amount), i.starts, i.ends) for i in b.increases),
        rollover=b.rollover_percent, closed=b.fail == "closed",
    )  # fmt: skip


def threshold_of(rule: schema.Threshold, tenant: str) -> Threshold:
    """Return a threshold of the catalog as the domain wants it."""
    return Threshold(
        **_watch(rule, tenant), by=tuple(rule.by), metric=rule.metric, meter=rule.meter, grain=rule.grain,
        above=rule.above, below=rule.below, margin=rule.margin, min_events=rule.min_events,
        severity=rule.severity,
    )  # fmt: skip


def newcomer_of(rule: schema.NewSpender, tenant: str) -> NewSpender:
    """Return a rule of new spenders of the catalog as the domain wants it."""
    return NewSpender(
        **_watch(rule, tenant), by=tuple(rule.by), days=rule.days, min_cost=to_pico(Decimal(rule.min_usd)),
        severity=rule.severity,
    )  # fmt: skip


def silence_of(rule: schema.Silence, tenant: str) -> Silence:
    """Return a rule of silence of the catalog as the domain wants it."""
    return Silence(
        **_watch(rule, tenant), by=tuple(rule.by), length=timedelta(minutes=rule.minutes),
        forget=timedelta(hours=rule.forget_hours), severity=rule.severity,
    )  # fmt: skip


def change_of(rule: schema.PriceChange, tenant: str) -> PriceChange:
    """Return a rule of price changes of the catalog as the domain wants it."""
    return PriceChange(
        **_watch(rule, tenant), ahead=timedelta(days=rule.days), min_cost=to_pico(Decimal(rule.min_usd)),
        severity=rule.severity,
    )  # fmt: skip


def anomaly_of(rule: schema.Anomaly, tenant: str) -> Anomaly:
    """Return an anomaly rule of the catalog as the domain wants it."""
    return Anomaly(
        **_watch(rule, tenant), by=tuple(rule.by), grain=rule.grain, min_cost=to_pico(Decimal(rule.min_usd)),
        sensitivity=float(rule.sensitivity), zone=ZoneInfo(rule.timezone), direction=rule.direction,
        holidays=frozenset(rule.holidays), settle=timedelta(minutes=rule.settle_minutes),
    )  # fmt: skip


def spike_of(rule: schema.SpendSpike, tenant: str) -> SpendSpike:
    """Return a spend spike rule of the catalog as the domain wants it."""
    return SpendSpike(
        **_watch(rule, tenant), by=tuple(rule.by), grain=rule.grain, min_cost=to_pico(Decimal(rule.min_usd)),
        sensitivity=float(rule.sensitivity),
    )  # fmt: skip


def mute_of(mute: schema.Mute) -> Mute:
    """Return a mute window of the catalog as the domain wants it."""
    begin, end = mute.between or (time(0), time(0))
    return Mute(
        id=mute.id, rules=frozenset(mute.rules), scope=_scope(mute.scope), zone=ZoneInfo(mute.timezone),
        days=frozenset(_DAYS.index(day) for day in mute.days), begin=begin, end=end,
        starts=mute.starts, ends=mute.ends,
    )  # fmt: skip


class _Common(TypedDict):
    id: str
    name: str
    tenant: str
    scope: Scope
    hold: timedelta
    calm: timedelta
    depends_on: tuple[str, ...] | None


def _watch(of: schema.Watched, tenant: str) -> _Common:
    return {
        "id": of.id, "name": of.name, "tenant": tenant, "scope": _scope(of.scope),
        "hold": timedelta(minutes=of.for_minutes), "calm": timedelta(minutes=of.calm_minutes),
        "depends_on": of.depends_on,
    }  # fmt: skip


def compile_watchlist(data: bytes) -> tuple[int, Watchlist]:
    """Read a catalog; return its revision and what it watches."""
    catalog = decode_catalog(data)
    return catalog.revision, Watchlist(catalog)


def _scope(scope: Mapping[ScopeKey, tuple[str, ...]]) -> Scope:
    return {str(name): values for name, values in scope.items()}
