"""The catalog's budgets and rules as the domain wants them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

from outlay_alerter.domain.watches import (
    DIMENSIONS,
    Anomaly,
    Budget,
    Burn,
    Increase,
    NewSpender,
    Scope,
    Silence,
    SpendSpike,
    Threshold,
)
from outlay_kit.spans import Anchor
from outlay_schemas.catalog import watch as schema
from outlay_schemas.catalog.model import Catalog, decode_catalog
from outlay_schemas.catalog.watch import ScopeKey
from outlay_schemas.money import to_pico

R = TypeVar("R", schema.SpendSpike, schema.Anomaly, schema.Threshold, schema.NewSpender, schema.Silence)


@dataclass(frozen=True, slots=True)
class Watchlist:
    """What one catalog watches. `skipped` are ids whose scope rollups cannot answer."""

    catalog: Catalog
    skipped: tuple[str, ...]

    def budgets(self, tenant: str) -> list[Budget]:
        """Return the budgets of a tenant, those of every tenant (`*`) included."""
        return [
            budget_of(b, tenant)
            for b in self.catalog.budgets
            if b.tenant in ("*", tenant) and b.id not in self.skipped
        ]

    def spikes(self, tenant: str) -> list[SpendSpike]:
        """Return the spend spike rules of a tenant."""
        return [spike_of(r, tenant) for r in self._rules(tenant, schema.SpendSpike)]

    def anomalies(self, tenant: str) -> list[Anomaly]:
        """Return the anomaly rules of a tenant."""
        return [anomaly_of(r, tenant) for r in self._rules(tenant, schema.Anomaly)]

    def others(self, tenant: str) -> list[Threshold | NewSpender | Silence]:
        """Return the thresholds, new spenders and silences of a tenant."""
        return [
            *(threshold_of(r, tenant) for r in self._rules(tenant, schema.Threshold)),
            *(newcomer_of(r, tenant) for r in self._rules(tenant, schema.NewSpender)),
            *(silence_of(r, tenant) for r in self._rules(tenant, schema.Silence)),
        ]

    def _rules(self, tenant: str, kind: type[R]) -> list[R]:
        return [
            r
            for r in self.catalog.rules
            if isinstance(r, kind) and r.tenant in ("*", tenant) and r.id not in self.skipped
        ]


def budget_of(b: schema.Budget, tenant: str) -> Budget:
    """Return a budget of the catalog as the domain wants it."""
    return Budget(
        b.id, b.name, tenant, to_pico(Decimal(b.amount)), b.period, ZoneInfo(b.timezone),
        tuple(b.thresholds), _scope(b.scope),
        anchor=Anchor(b.anchor_day, b.anchor_month),
        rolling=timedelta(days=b.rolling_days) if b.rolling_days else None,
        forecasts=tuple(b.forecast_thresholds),
        burns=tuple(Burn(timedelta(seconds=int(n.hours * 3600)), n.rate, n.severity) for n in b.burn),
        increases=tuple(Increase(to_pico(i.amount), i.starts, i.ends) for i in b.increases),
        rollover=b.rollover_percent,
    )  # fmt: skip


def threshold_of(rule: schema.Threshold, tenant: str) -> Threshold:
    """Return a threshold of the catalog as the domain wants it."""
    return Threshold(
        rule.id, rule.name, tenant, tuple(rule.by), rule.metric, rule.meter, rule.grain, rule.above, rule.below,
        rule.min_events, rule.severity, _scope(rule.scope),
    )  # fmt: skip


def newcomer_of(rule: schema.NewSpender, tenant: str) -> NewSpender:
    """Return a rule of new spenders of the catalog as the domain wants it."""
    return NewSpender(
        rule.id, rule.name, tenant, tuple(rule.by), rule.days, to_pico(Decimal(rule.min_usd)), rule.severity,
        _scope(rule.scope),
    )  # fmt: skip


def silence_of(rule: schema.Silence, tenant: str) -> Silence:
    """Return a rule of silence of the catalog as the domain wants it."""
    return Silence(
        rule.id, rule.name, tenant, tuple(rule.by), timedelta(minutes=rule.minutes),
        timedelta(hours=rule.forget_hours), rule.severity, _scope(rule.scope),
    )  # fmt: skip


def anomaly_of(rule: schema.Anomaly, tenant: str) -> Anomaly:
    """Return an anomaly rule of the catalog as the domain wants it."""
    return Anomaly(
        rule.id, rule.name, tenant, tuple(rule.by), rule.grain, to_pico(Decimal(rule.min_usd)),
        float(rule.sensitivity), ZoneInfo(rule.timezone), rule.direction, frozenset(rule.holidays),
        timedelta(minutes=rule.settle_minutes), _scope(rule.scope),
    )  # fmt: skip


def spike_of(rule: schema.SpendSpike, tenant: str) -> SpendSpike:
    """Return a spend spike rule of the catalog as the domain wants it."""
    return SpendSpike(
        rule.id, rule.name, tenant, tuple(rule.by), rule.grain, to_pico(Decimal(rule.min_usd)),
        float(rule.sensitivity), _scope(rule.scope),
    )  # fmt: skip


def compile_watchlist(data: bytes) -> tuple[int, Watchlist]:
    """Read a catalog; return its revision and what it watches."""
    catalog = decode_catalog(data)
    bad = [b.id for b in catalog.budgets if not set(b.scope) <= set(DIMENSIONS)]
    bad += [r.id for r in catalog.rules if not {*r.scope, *r.by} <= set(DIMENSIONS)]
    return catalog.revision, Watchlist(catalog, tuple(bad))


def _scope(scope: Mapping[ScopeKey, tuple[str, ...]]) -> Scope:
    return {str(name): values for name, values in scope.items()}
