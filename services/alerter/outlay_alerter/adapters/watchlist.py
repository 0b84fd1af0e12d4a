"""The catalog's budgets and rules as the domain wants them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from outlay_alerter.domain.watches import DIMENSIONS, Budget, Scope, SpendSpike
from outlay_schemas.catalog.model import Catalog, decode_catalog
from outlay_schemas.catalog.watch import ScopeKey
from outlay_schemas.money import to_pico


@dataclass(frozen=True, slots=True)
class Watchlist:
    """What one catalog watches. `skipped` are ids whose scope rollups cannot answer."""

    catalog: Catalog
    skipped: tuple[str, ...]

    def budgets(self, tenant: str) -> list[Budget]:
        """Return the budgets of a tenant, those of every tenant (`*`) included."""
        return [
            Budget(
                b.id, b.name, tenant, to_pico(Decimal(b.amount)), b.period, ZoneInfo(b.timezone),
                tuple(b.thresholds), _scope(b.scope),
            )
            for b in self.catalog.budgets
            if b.tenant in ("*", tenant) and b.id not in self.skipped
        ]  # fmt: skip

    def spikes(self, tenant: str) -> list[SpendSpike]:
        """Return the spend spike rules of a tenant."""
        return [
            SpendSpike(
                r.id, r.name, tenant, tuple(r.by), r.grain, to_pico(Decimal(r.min_usd)),
                float(r.sensitivity), _scope(r.scope),
            )
            for r in self.catalog.rules
            if r.tenant in ("*", tenant) and r.id not in self.skipped
        ]  # fmt: skip


def compile_watchlist(data: bytes) -> tuple[int, Watchlist]:
    """Read a catalog; return its revision and what it watches."""
    catalog = decode_catalog(data)
    bad = [b.id for b in catalog.budgets if not set(b.scope) <= set(DIMENSIONS)]
    bad += [r.id for r in catalog.rules if not {*r.scope, *r.by} <= set(DIMENSIONS)]
    return catalog.revision, Watchlist(catalog, tuple(bad))


def _scope(scope: Mapping[ScopeKey, tuple[str, ...]]) -> Scope:
    return {str(name): values for name, values in scope.items()}
