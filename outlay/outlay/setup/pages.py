"""The pages that change the catalog: lists, forms, the plan of a change, revisions and their files."""

import asyncio
import io
import secrets
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from outlay.catalog.checks import unreached
from outlay.catalog.diff import changes
from outlay.catalog.edit import Edit, UnknownItemError, apply, key_of, place_of
from outlay.catalog.export import alone, export, to_yaml
from outlay.catalog.publish import ConflictError
from outlay.catalog.yaml_files import Problem
from outlay.setup import forms
from outlay.setup.desk import DAYS, Desk
from outlay.setup.guard import Asked, Audit, Guarded
from outlay_console.domain.list_page import after_in
from outlay_console.web import one_line, read_form
from outlay_kit.clock import Clock
from outlay_schemas.catalog import Catalog
from outlay_schemas.proposals import Proposal

_BYTES = 128 * 1024


@dataclass(frozen=True)
class Draft:
    """A change as a form has it."""

    edit: Edit
    kind: str
    """The type of the item, where its part has several."""
    base: int
    """The revision that it began with."""
    values: Mapping[str, str]
    note: str = ""


class CatalogPages:
    """Lists, forms and plans of the parts of the catalog, and its revisions."""

    def __init__(self, guarded: Guarded, desk: Desk, audit: Audit, clock: Clock, *, approval: bool) -> None:
        """`approval`: a change becomes a proposal, which another person publishes."""
        self._approval = approval
        self._guarded = guarded
        self._desk = desk
        self._audit = audit
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return where they answer."""
        route = self._guarded.route
        return [
            route("/setup/history", self.history),
            route("/setup/history/{revision:int}", self.revision),
            route("/setup/history/{revision:int}/files", self.files),
            route("/setup/channels/{id}/test", self.test, "POST"),
            route("/setup/{part}", self.items),
            route("/setup/{part}/edit", self.edit),
            route("/setup/{part}/plan", self.plan, "POST"),
            route("/setup/{part}/publish", self.publish, "POST"),
        ]

    async def items(self, asked: Asked) -> Response:
        """Show the items of a part."""
        return self._items(asked, asked.request.path_params["part"])

    async def edit(self, asked: Asked) -> Response:
        """Show the form of an item, or of a new one."""
        known, part = self._desk.known(), asked.request.path_params["part"]
        key = asked.request.query_params.get("key", "")
        if not key:
            kind = self._kind(part, asked.request.query_params.get("type", ""))
            return self._form(asked, Draft(Edit(part), kind, known.revision, {}))
        item = self._item(asked, known, part, key)
        kind = getattr(item, "type", "")
        return self._form(asked, Draft(Edit(part, key), kind, known.revision, forms.values_of(item)))

    async def plan(self, asked: Asked) -> Response:
        """Show what a change would do, or what is wrong with it."""
        draft, known = await self._draft(asked), self._desk.known()
        new, problems, place = self._applied(known, draft.edit)
        if new is None or problems:
            return self._form(asked, draft, problems, place)
        return await self._planned(asked, draft, known, new)

    async def publish(self, asked: Asked) -> Response:
        """Publish a change that was planned, if nothing else was published since."""
        draft, known = await self._draft(asked), self._desk.known()
        new, problems, place = self._applied(known, draft.edit)
        if new is None or problems:
            return self._form(asked, draft, problems, place)
        if known.revision != draft.base:
            return await self._planned(asked, draft, known, new)
        if self._approval:
            return await self._propose(asked, draft, known)
        edit, base = draft.edit, draft.base
        what = {"part": edit.part, "key": edit.key, "removed": edit.fields is None, "note": draft.note}
        await self._audit.note(asked, "catalog.publish", f"after revision {base}", **what)
        try:
            who = asked.session.actor
            revision = await asyncio.to_thread(self._desk.publish, new, base, who, draft.note)
        except ConflictError as error:
            again, problems, place = self._applied(error.newest, edit)
            if again is None or problems:
                return self._form(asked, draft, problems, place)
            return await self._planned(asked, draft, error.newest, again)
        return RedirectResponse(f"/setup/{edit.part}?published={revision}", 303)

    async def _propose(self, asked: Asked, draft: Draft, known: Catalog) -> Response:
        edit, who = draft.edit, asked.session
        was = alone(self._item(asked, known, edit.part, edit.key)) if edit.key else ""
        proposal = Proposal(
            id=secrets.token_hex(6), tenant=who.tenant, part=edit.part, key=edit.key, kind=draft.kind,
            fields=edit.fields, was=was, author=who.actor, at=self._clock.now(), note=draft.note,
        )  # fmt: skip
        what = {"part": edit.part, "key": edit.key, "removed": edit.fields is None, "note": draft.note}
        await self._audit.note(asked, "catalog.propose", f"proposal {proposal.id}", **what)
        await asyncio.to_thread(self._desk.keep, proposal)
        return RedirectResponse(f"/setup/proposals/{proposal.id}", 303)

    async def history(self, asked: Asked) -> Response:
        """Show the revisions with author and time."""
        page = await asyncio.to_thread(self._desk.revisions, after_in(asked.request.query_params))
        return self._guarded.show(asked, "setup_history", part="history", page=page, now=self._clock.now())

    async def revision(self, asked: Asked) -> Response:
        """Show what a revision changed."""
        number = asked.request.path_params["revision"]
        found = await self._found(number)
        before = await asyncio.to_thread(self._desk.revision, number - 1)
        diff = changes(before, found) if before is not None else None
        return self._guarded.show(asked, "setup_revision", part="history", catalog=found, changes=diff)

    async def files(self, asked: Asked) -> Response:
        """Send a revision as the folder that the command line reads."""
        found = await self._found(asked.request.path_params["revision"])
        folder = f"catalog-{found.revision}"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in (await asyncio.to_thread(export, found)).items():
                archive.writestr(f"{folder}/{name}", text)
        headers = {"Content-Disposition": f'attachment; filename="{folder}.zip"'}
        return Response(packed.getvalue(), media_type="application/zip", headers=headers)

    async def test(self, asked: Asked) -> Response:
        """Send a sample alert to a channel, and say what became of it."""
        name = asked.request.path_params["id"]
        await self._audit.note(asked, "channels.test", name)
        answer = await asyncio.to_thread(self._desk.send_test, name)
        if answer is None:
            raise HTTPException(404, "This channel does not exist.")
        return self._items(asked, "channels", {"name": name, "answer": answer})

    def _items(self, asked: Asked, part: str, tested: Mapping[str, object] | None = None) -> Response:
        known = self._desk.known()
        rows = [
            {"key": key_of(item, place), "item": item, "yaml": alone(item)}
            for place, item in enumerate(getattr(known, part))
            if asked.sees(part, item)
        ]
        done = asked.request.query_params.get("published", "")
        return self._guarded.show(
            asked, "setup", part=part, rows=rows, kinds=list(forms.MODELS[part]), catalog=known,
            published=done if done.isascii() and done.isdecimal() else "", tested=tested,
            idle=unreached(known) if part == "channels" else {},
        )  # fmt: skip

    async def _planned(self, asked: Asked, draft: Draft, known: Catalog, new: Catalog) -> Response:
        others = None
        if known.revision != draft.base:
            others = await asyncio.to_thread(self._desk.since, draft.base) if asked.operator else []
        before = unreached(known)
        warnings = (
            [text for name, text in unreached(new).items() if name not in before] if asked.operator else []
        )
        plan = await asyncio.to_thread(self._desk.plan, known, new, draft.edit.part, asked.scope)
        return self._guarded.show(
            asked, "setup_plan", 409 if others is not None else 200, part=draft.edit.part, draft=draft, plan=plan,
            catalog=known, days=DAYS, others=others, warnings=warnings,
        )  # fmt: skip

    def _form(self, asked: Asked, draft: Draft, problems: Sequence[Problem] = (), place: int = 0) -> Response:
        if not asked.operator:  # a hint may name what is another tenant's
            problems = [Problem(one.file, one.line, one.path, one.message) for one in problems]
        part = draft.edit.part
        fields = forms.inputs(part, draft.kind, draft.values, problems, place)
        if not asked.operator:
            fields = [one for one in fields if one.name != "tenant"]
        return self._guarded.show(
            asked, "setup_edit", 400 if problems else 200, part=part, draft=draft, inputs=fields, problems=problems
        )  # fmt: skip

    async def _draft(self, asked: Asked) -> Draft:
        """Read a posted form. Raises HTTPException."""
        form = await read_form(asked.request, _BYTES)
        part, key, base = asked.request.path_params["part"], form.get("key", ""), form.get("base", "")
        if not (base.isascii() and base.isdecimal() and len(base) < 15):
            raise HTTPException(400, "The form lacks the revision that it began with. Open it again.")
        note = one_line(form, "note")
        item = self._item(asked, self._desk.known(), part, key) if key else None
        if form.get("remove"):
            if item is None:
                raise HTTPException(400, "Say what to remove.")
            kind = getattr(item, "type", "")
            return Draft(Edit(part, key), kind, int(base), forms.values_of(item), note)
        kind = self._kind(part, form.get("type", ""))
        fields = forms.fields_of(part, kind, form)
        if not asked.operator:
            fields["tenant"] = to_yaml(asked.session.tenant)
        values = {name[2:]: text for name, text in form.items() if name.startswith("f.")}
        return Draft(Edit(part, key, fields), kind, int(base), values, note)

    def _item(self, asked: Asked, known: Catalog, part: str, key: str) -> Any:
        items = getattr(known, part)
        try:
            item = items[place_of(items, key)]
        except UnknownItemError:
            item = None
        if item is None or not asked.sees(part, item):
            raise HTTPException(404, "This does not exist any more. Somebody may have removed it.")
        return item

    def _applied(self, known: Catalog, edit: Edit) -> tuple[Catalog | None, list[Problem], int]:
        try:
            return apply(known, edit)
        except UnknownItemError:
            raise HTTPException(
                409, "Somebody removed this while you edited it. Nothing was published."
            ) from None

    async def _found(self, number: int) -> Catalog:
        found = await asyncio.to_thread(self._desk.revision, number)
        if found is None:
            raise HTTPException(404, "This revision is not kept.")
        return found

    @staticmethod
    def _kind(part: str, kind: str) -> str:
        if kind not in forms.MODELS[part]:
            raise HTTPException(400, f"type must be one of {', '.join(forms.MODELS[part])}")
        return kind
