"""The catalog's budgets and rules as their evaluators need them."""

from dataclasses import dataclass

from outlay_alerter.rules.budget import compile_rule as budget_of
from outlay_alerter.rules.registry import KINDS
from outlay_alerter.rules.watch import Budget, Watch
from outlay_schemas.catalog import watch as schema
from outlay_schemas.catalog.model import Catalog, decode_catalog


@dataclass(frozen=True, slots=True)
class Watchlist:
    """What one catalog watches."""

    catalog: Catalog

    def budgets(self, tenant: str) -> list[Budget]:
        """Return the budgets of a tenant, those of every tenant (`*`) included."""
        return [
            budget_of(b, tenant, self.catalog.fx) for b in self.catalog.budgets if b.tenant in ("*", tenant)
        ]

    def budget(self, tenant: str, name: str) -> Budget | None:
        """Return one budget of a tenant; None: it has none of that id."""
        found = (b for b in self.catalog.budgets if b.id == name and b.tenant in ("*", tenant))
        return next((budget_of(b, tenant, self.catalog.fx) for b in found), None)

    def mutes(self, tenant: str) -> list[schema.MuteTimeInterval]:
        """Return the mute windows of a tenant."""
        return [m for m in self.catalog.mute_time_intervals if m.tenant in ("*", tenant)]

    def watches(self, tenant: str) -> dict[str, Watch]:
        """Return all of a tenant's budgets and rules by id."""
        rules = (r for r in self.catalog.rules if r.tenant in ("*", tenant))
        every: list[Watch] = [*self.budgets(tenant), *(KINDS[r.type].compile(r, tenant) for r in rules)]
        return {watch.id: watch for watch in every}


def compile_watchlist(data: bytes) -> tuple[int, Watchlist]:
    """Read a catalog; return its revision and what it watches."""
    catalog = decode_catalog(data)
    return catalog.revision, Watchlist(catalog)
