"""The pages of proposals: changes that an approver who is not their author publishes or refuses."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from outlay.catalog.edit import Edit, UnknownItemError, apply, place_of
from outlay.catalog.export import alone
from outlay.catalog.publish import ConflictError
from outlay.setup.desk import DAYS, Desk
from outlay.setup.guard import OWN, Asked, Audit, Guarded
from outlay_console.web import one_line, read_form
from outlay_kit.clock import Clock
from outlay_schemas.catalog import Catalog
from outlay_schemas.proposals import Proposal


@dataclass(frozen=True)
class Applied:
    """What a proposal makes of the catalog in force."""

    known: Catalog
    new: Catalog | None
    problem: str = ""
    """Why it cannot be published any more."""


class ProposalPages:
    """Lists proposals, shows what each would do, and lets approvers decide."""

    def __init__(
        self, guarded: Guarded, desk: Desk, audit: Audit, clock: Clock, *, people_only: bool
    ) -> None:
        """`people_only`: people log in at an identity provider, so that a key approves nothing."""
        self._guarded = guarded
        self._desk = desk
        self._audit = audit
        self._clock = clock
        self._people_only = people_only

    def routes(self) -> list[Route]:
        """Return where they answer."""
        route = self._guarded.route
        return [
            route("/setup/proposals", self.proposals),
            route("/setup/proposals/{id}", self.proposal),
            route("/setup/proposals/{id}/publish", self.publish, "POST"),
            route("/setup/proposals/{id}/refuse", self.refuse, "POST"),
        ]

    async def proposals(self, asked: Asked) -> Response:
        """Show those that wait, then the newest decided ones."""
        found = [one for one in await asyncio.to_thread(self._every) if _sees(asked, one)]
        found.sort(key=lambda one: (one.state == "open", one.at), reverse=True)
        return self._guarded.show(asked, "setup_proposals", part="proposals", proposals=found[:100])

    async def proposal(self, asked: Asked) -> Response:
        """Show what a proposal would do."""
        return await self._page(asked, await self._found(asked))

    async def publish(self, asked: Asked) -> Response:
        """Publish what the approver was shown, on the revision that they were shown it on."""
        found, base = await self._waiting(asked), (await read_form(asked.request)).get("base", "")
        self._second_person(asked, found)
        applied = self._applied(found)
        if applied.new is None:
            raise HTTPException(409, applied.problem)
        if base != str(applied.known.revision):
            return await self._page(asked, found, moved=True)
        new, after, who = applied.new, applied.known.revision, asked.session.actor
        details = {"part": found.part, "key": found.key, "author": found.author, "note": found.note}
        await self._audit.note(asked, "catalog.publish", f"proposal {found.id}", after=after, **details)
        note = "; ".join(filter(None, (found.note, f"approved by {who}", _named(found))))
        decided = self._decided(asked, found, "published", revision=after + 1)
        begun = msgspec.structs.replace(decided, state="open")
        await asyncio.to_thread(self._desk.keep, begun)  # `_every` finishes it if this process ends here
        try:
            await asyncio.to_thread(self._desk.publish, new, after, found.author, note)
        except ConflictError:
            return await self._page(asked, found, moved=True)
        await asyncio.to_thread(self._desk.keep, decided)
        return RedirectResponse(f"/setup/proposals/{found.id}", 303)

    async def refuse(self, asked: Asked) -> Response:
        """Refuse a proposal, or withdraw one's own."""
        found, form = await self._waiting(asked), await read_form(asked.request)
        if asked.session.actor != found.author:
            self._second_person(asked, found)
        reason = one_line(form, "reason")
        details = {"part": found.part, "key": found.key, "author": found.author, "reason": reason}
        await self._audit.note(asked, "catalog.refuse", f"proposal {found.id}", **details)
        await asyncio.to_thread(self._desk.keep, self._decided(asked, found, "refused", reason=reason))
        return RedirectResponse(f"/setup/proposals/{found.id}", 303)

    async def _page(self, asked: Asked, found: Proposal, *, moved: bool = False) -> Response:
        applied, plan = self._applied(found), None
        waits = found.state == "open"
        if waits and applied.new is not None:
            old, new, part = applied.known, applied.new, found.part
            plan = await asyncio.to_thread(self._desk.plan, old, new, part, asked.scope)
        return self._guarded.show(
            asked, "setup_proposal", 409 if moved else 200, part="proposals", one=found, plan=plan, moved=moved,
            days=DAYS, catalog=applied.known, problem=applied.problem if waits else "",
            own=asked.session.actor == found.author, barred=self._barred(asked, found),
        )  # fmt: skip

    async def _found(self, asked: Asked) -> Proposal:
        wanted = asked.request.path_params["id"]
        every = await asyncio.to_thread(self._every)
        found = next((one for one in every if one.id == wanted and _sees(asked, one)), None)
        if found is None:
            raise HTTPException(404, "This proposal does not exist.")
        return found

    async def _waiting(self, asked: Asked) -> Proposal:
        found = await self._found(asked)
        if found.state != "open":
            raise HTTPException(409, f"This proposal was {found.state} by {found.by} already.")
        return found

    def _applied(self, one: Proposal) -> Applied:
        known, edit = self._desk.known(), Edit(one.part, one.key, one.fields)
        changed = "What it changes was changed or removed since. Refuse it, and propose the change again."
        try:
            if one.key:
                items = getattr(known, one.part)
                if alone(items[place_of(items, one.key)]) != one.was:
                    return Applied(known, None, changed)
            new, problems, _ = apply(known, edit)
        except UnknownItemError:
            return Applied(known, None, changed)
        if new is None or problems:
            return Applied(known, None, f"It does not fit the catalog any more: {problems[0].message}.")
        return Applied(known, new)

    def _barred(self, asked: Asked, one: Proposal) -> str:
        """Return why somebody may not decide; empty: they may."""
        if asked.session.actor == one.author:
            return "You proposed this: an approver other than you publishes it."
        if not asked.session.may("approver"):
            return f"This needs the role approver; yours is {asked.session.role}."
        if self._people_only and not asked.session.person:
            return "A key cannot approve: log in as a person."
        return ""

    def _second_person(self, asked: Asked, one: Proposal) -> None:
        if barred := self._barred(asked, one):
            raise HTTPException(403, barred)

    def _decided(
        self, asked: Asked, one: Proposal, state: str, *, reason: str = "", revision: int = 0
    ) -> Proposal:
        now: datetime = self._clock.now()
        return msgspec.structs.replace(
            one, state=state, by=asked.session.actor, decided=now, reason=reason, revision=revision
        )

    def _every(self) -> list[Proposal]:
        """Return all proposals, and finish those whose revision was published by a process that ended right after."""
        return [self._finished(one) for one in self._desk.proposals()]

    def _finished(self, one: Proposal) -> Proposal:
        became = self._desk.revision(one.revision) if one.state == "open" and one.revision else None
        if became is None or _named(one) not in became.note.split("; "):
            return one
        published = msgspec.structs.replace(one, state="published")
        self._desk.keep(published)
        return published


def _named(one: Proposal) -> str:
    return f"proposal {one.id}"


def _sees(asked: Asked, one: Proposal) -> bool:
    return asked.operator or (one.part in OWN and one.tenant == asked.session.tenant)
