"""The routes of set-up."""

from collections.abc import Callable
from datetime import datetime

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from outlay.setup.desk import Desk
from outlay.setup.first_run import FirstRun
from outlay.setup.guard import Asked, Audit, Guarded
from outlay.setup.key_pages import KeyPages
from outlay.setup.pages import CatalogPages
from outlay.setup.proposal_pages import ProposalPages
from outlay_console.app import More, Shell
from outlay_console.pages.request import Dependencies


def more(deps: Dependencies, desk: Desk, tell_end: Callable[[str, datetime], None]) -> More:
    """Return what adds the pages of set-up to a console. `tell_end`: tells services when a key ends."""
    settings, clock = deps.settings, deps.clock

    def routes(shell: Shell) -> list[Route]:
        guarded = Guarded(shell, settings.operator, approval=settings.approval)
        audit = Audit(deps.actions.audit, clock)
        return [
            guarded.route("/setup", _first_page),
            *KeyPages(guarded, settings.keys_file, tell_end, clock).routes(),
            *FirstRun(guarded, deps, desk).routes(),
            # Before the pages of parts: no part is called `proposals`.
            *ProposalPages(guarded, desk, audit, clock, people_only=bool(settings.oidc.issuer)).routes(),
            *CatalogPages(guarded, desk, audit, clock, approval=settings.approval).routes(),
        ]

    return routes


async def _first_page(asked: Asked) -> Response:
    return RedirectResponse(f"/setup/{asked.tabs[0]}", 303)
