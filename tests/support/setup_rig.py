"""A console with the pages of set-up over a catalog in memory."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from starlette.routing import Route
from tests.support.console_routes import NOW
from tests.support.console_routes import Rig as ConsoleRig

from outlay.catalog.diff import changes
from outlay.catalog.publish import ConflictError
from outlay.setup.desk import REVISIONS, Desk, Plan, Revision
from outlay.setup.routes import more
from outlay_console.domain.list_page import ListPage, page_of
from outlay_console.domain.roles import ROLES, Grant
from outlay_console.settings import OidcSettings
from outlay_kit.clock import FakeClock
from outlay_kit.errors import Retryable
from outlay_kit.settings import ClickHouseSettings, KafkaSettings
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.proposals import Proposal

TENANTS = ("default", "globex")
PEOPLE = OidcSettings(
    issuer="http://127.0.0.1:1", client_id="c", console_url="http://localhost:8088",
    grants=tuple(Grant(value=f"{t} {role}", tenant=t, role=role) for t in TENANTS for role in ROLES),
)  # fmt: skip


class MemoryDesk(Desk):
    """Keeps revisions in a list, and tries nothing on the past."""

    def __init__(self) -> None:
        super().__init__(KafkaSettings(bootstrap="127.0.0.1:1"), ClickHouseSettings(), FakeClock(NOW))
        own = Budget(id="g", name="Globex", tenant="globex", amount=Decimal(5))
        everyone = Budget(id="all", name="Everyone", tenant="*", amount=Decimal(7))
        self.kept = [Catalog(revision=1, created_at=NOW, budgets=(own, everyone))]
        self.rival: Catalog | None = None
        self.proposed: dict[str, Proposal] = {}

    def current(self) -> Catalog:
        return self.kept[-1]

    def proposals(self) -> list[Proposal]:
        return list(self.proposed.values())

    def keep(self, proposal: Proposal) -> None:
        self.proposed[proposal.id] = proposal

    def plan(self, old: Catalog, new: Catalog, part: str, tenant: str) -> Plan:
        return Plan(changes(old, new), None, [], [])

    def publish(self, new: Catalog, after: int, author: str, note: str) -> int:
        if self.rival is not None:
            self.kept.append(self.rival)
        if self.current().revision != after:
            raise ConflictError(self.current(), after)
        stamp = {"revision": after + 1, "author": author, "note": note, "created_at": NOW}
        self.kept.append(new.model_copy(update=stamp))
        return after + 1

    def revisions(self, after: int = 0) -> ListPage[Revision]:
        found = [Revision(c.revision, c.created_at, c.author, c.note) for c in reversed(self.kept)]
        return page_of(found, after, REVISIONS, "the newest first")

    def revision(self, number: int) -> Catalog | None:
        return next((one for one in self.kept if one.revision == number), None)


def _away(key_id: str, ends: datetime) -> None:
    raise Retryable("Kafka does not answer")


class SetupRig(ConsoleRig):
    """A console with set-up. `default` is the operator's tenant."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.desk = MemoryDesk()
        super().__init__(folder, oidc=PEOPLE, more=lambda deps: more(deps, self.desk, _away), **settings)
        self.found = [r for r in self.console.routes() if isinstance(r, Route) and "/setup" in r.path]

    def addresses(self) -> list[tuple[str, str, str]]:
        """Return method, address and path of every route of set-up."""
        found = []
        for route in self.found:
            path = route.path.replace("{part}", "budgets").replace("{id}", "g").replace("{revision:int}", "1")
            assert "{" not in path, path
            found += [
                (method, path, route.path) for method in sorted(route.methods or ()) if method != "HEAD"
            ]
        assert len(found) > 12
        return found

    async def post(self, path: str, **form: str) -> httpx.Response:
        """Post a form that began with the catalog in force."""
        data = {"base": str(self.desk.current().revision), "key": "", "type": ""} | form
        return await self.client.post(path, data=data)
