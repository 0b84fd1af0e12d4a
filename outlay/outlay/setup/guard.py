"""Who may open the pages of set-up, and how far that goes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlay.setup import forms
from outlay_console.actions import audited
from outlay_console.app import Shell
from outlay_console.domain.roles import may_ask
from outlay_console.domain.view import View
from outlay_console.sessions import Session
from outlay_kit.audit import AuditLog
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable

OWN = ("budgets", "rules", "owners")
"""Parts whose items belong to a tenant each: its admins change these, and no other's."""
TABS = ("start", *forms.MODELS, "proposals", "keys", "history")
_LISTS = dict.fromkeys(forms.MODELS, "/setup/{part}")


@dataclass(frozen=True)
class Asked:
    """A request of an editor, and how far that goes."""

    request: Request
    session: Session
    operator: bool
    """Whether it may change what belongs to all tenants, too."""

    @property
    def scope(self) -> str:
        """The only tenant that it may see; empty: all."""
        return "" if self.operator else self.session.tenant

    def sees(self, part: str, item: Any) -> bool:
        """Tell whether an item is its own to see and change."""
        return self.operator or (part in OWN and item.tenant == self.session.tenant)

    @property
    def tabs(self) -> Sequence[str]:
        """The pages that it may open."""
        found = TABS if self.operator else ("start", *OWN, "proposals", "keys")
        role, teams = self.session.role, self.session.teams
        return [tab for tab in found if may_ask(role, teams, "GET", _LISTS.get(tab, f"/setup/{tab}"))]


Page = Callable[[Asked], Awaitable[Response]]


class Guarded:
    """Shows each page as far as somebody may go. Whether their role may ask it at all, the console has checked."""

    def __init__(self, shell: Shell, operator: str, *, approval: bool) -> None:
        """`approval`: changes wait for a second person."""
        self._shell = shell
        self._approval = approval
        self._operator = operator

    def route(self, path: str, page: Page, method: str = "GET") -> Route:
        """Return a route. `{part}` is a part of the catalog that the session may open."""

        async def answer(request: Request) -> Response:
            session = self._shell.session(request)
            asked = Asked(request, session, session.tenant == self._operator)
            tab = request.path_params.get("part", path.split("/")[2] if path.count("/") > 1 else TABS[0])
            try:
                if tab not in TABS or ("part" in request.path_params and tab not in forms.MODELS):
                    raise HTTPException(404, "This page does not exist.")
                if tab not in asked.tabs:
                    raise HTTPException(
                        403,
                        f"This belongs to all tenants: only people of the tenant {self._operator} can change it.",
                    )
                return await page(asked)
            except HTTPException as error:
                return self._shell.error(request, error.status_code, error.detail, session, View())
            except Retryable as error:
                return self._shell.error(
                    request, 503, f"{error}. Look at the list, then try again.", session, View()
                )

        return Route(path, answer, methods=[method])

    def show(self, asked: Asked, name: str, status: int = 200, **context: object) -> Response:
        """Return a page with what all pages of set-up show."""
        return self._shell.html(
            name, status, asked.request, session=asked.session, operator=asked.operator, approval=self._approval,
            tabs=[tab for tab in asked.tabs if tab != "proposals" or self._approval], **context,
        )  # fmt: skip


@dataclass(frozen=True)
class Audit:
    """The log of what people change."""

    log: AuditLog
    clock: Clock

    async def note(self, asked: "Asked", action: str, subject: str, **details: object) -> None:
        """Write to the log; what cannot be audited is not done. Raises Retryable."""
        await audited(self.log, asked.session, action, subject, details, now=self.clock.now())
