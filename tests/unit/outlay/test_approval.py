"""Approval by a second person: a change waits, its author cannot publish it; what was shown is published."""

from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.setup_rig import SetupRig

from outlay_kit.errors import Retryable
from outlay_schemas.proposals import Proposal

BUDGET = {"f.id": "growth", "f.name": "Growth", "f.amount": "5000", "f.scope": "team: growth"}


@pytest.fixture
def rig(tmp_path: Path) -> SetupRig:
    return SetupRig(tmp_path, approval=True)


async def propose(rig: SetupRig, part: str = "budgets", **form: str) -> str:
    """Propose as an editor; return the address of the proposal."""
    rig.log_in_as("editor", "default", name="ed")
    answer = await rig.post(f"/setup/{part}/publish", **(form or BUDGET), note="for Q1")
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def test_a_change_waits_until_an_approver_who_is_not_its_author_publishes_it(rig: SetupRig) -> None:
    rig.log_in_as("editor", "default", name="ed")
    planned = await rig.post("/setup/budgets/plan", **BUDGET)
    assert "an approver other than you publishes or refuses it" in planned.text
    address = await propose(rig)
    assert address.startswith("/setup/proposals/")
    assert len(rig.desk.kept) == 1
    assert (await rig.client.post(f"{address}/publish", data={"base": "1"})).status_code == 403
    assert "an approver other than you" in (await rig.client.get(address)).text
    rig.log_in_as("approver", "default", name="ap")
    listed = (await rig.client.get("/setup/proposals")).text
    assert address in listed
    shown = (await rig.client.get(address)).text
    for text in ("Proposed by ed", "for Q1", "budgets: growth", "amount: 5000", 'name="base" value="1"'):
        assert text in shown
    assert (await rig.client.post(f"{address}/publish", data={"base": "1"})).status_code == 303
    new = rig.desk.current()
    assert (new.revision, new.author, new.note) == (
        2,
        "ed",
        f"for Q1; approved by ap; proposal {address.rsplit('/', 1)[1]}",
    )
    assert [one.id for one in new.budgets] == ["g", "all", "growth"]
    assert "Published by ap as revision 2" in (await rig.client.get(address)).text
    entries = [(one.actor, one.action, one.details.get("author")) for one in rig.log.read()]
    assert entries == [("ed", "catalog.propose", None), ("ap", "catalog.publish", "ed")]
    for verb in ("publish", "refuse"):
        assert (await rig.client.post(f"{address}/{verb}", data={"base": "2"})).status_code == 409
    assert len(rig.desk.kept) == 2


@pytest.mark.parametrize("role", ["approver", "admin"])
async def test_no_one_publishes_alone(rig: SetupRig, role: str) -> None:
    rig.log_in_as(role, "default", name="ann")  # type: ignore[arg-type]
    address = (await rig.post("/setup/budgets/publish", **BUDGET)).headers["location"]
    assert (await rig.client.post(f"{address}/publish", data={"base": "1"})).status_code == 403
    rig.client.cookies.clear()
    rig.keys["machine"] = rig.file.create("default", ("read", "admin"), rig.clock.now())
    await rig.log_in("machine")
    answer = await rig.client.post(f"{address}/publish", data={"base": "1"})
    assert (answer.status_code, "A key cannot approve" in answer.text) == (403, True)
    rig.log_in_as("editor", "default", name="ed")
    for verb in ("publish", "refuse"):
        assert (await rig.client.post(f"{address}/{verb}", data={"base": "1"})).status_code == 403
    assert len(rig.desk.kept) == 1


async def test_a_proposal_is_refused_with_a_reason_or_withdrawn_by_its_author(rig: SetupRig) -> None:
    refused, withdrawn = await propose(rig), await propose(rig)
    assert (await rig.client.post(f"{withdrawn}/refuse", data={})).status_code == 303
    assert "Withdrawn by ed" in (await rig.client.get(withdrawn)).text
    rig.log_in_as("approver", "default", name="ap")
    await rig.client.post(f"{refused}/refuse", data={"reason": "<b>too much"})
    assert "Refused by ap. &lt;b&gt;too much" in (await rig.client.get(refused)).text
    assert (await rig.client.post(f"{refused}/publish", data={"base": "1"})).status_code == 409
    assert [one.action for one in rig.log.read()][-2:] == ["catalog.refuse"] * 2
    assert len(rig.desk.kept) == 1


async def test_what_changed_meanwhile_is_shown_again_before_it_is_published(rig: SetupRig) -> None:
    new = await propose(rig)
    edited = await propose(rig, **BUDGET | {"key": "g", "f.id": "g", "f.tenant": "globex"})
    first = rig.desk.current()
    changed = (first.budgets[0].model_copy(update={"amount": Decimal(900)}), first.budgets[1])
    rig.desk.kept.append(first.model_copy(update={"revision": 2, "budgets": changed}))
    rig.log_in_as("approver", "default", name="ap")
    moved = await rig.client.post(f"{new}/publish", data={"base": "1"})
    assert (moved.status_code, "the catalog is at revision 2 now" in moved.text) == (409, True)
    assert (await rig.client.post(f"{new}/publish", data={"base": "2"})).status_code == 303
    stale = await rig.client.post(f"{edited}/publish", data={"base": "3"})
    assert (stale.status_code, "was changed or removed since" in stale.text) == (409, True)
    assert rig.desk.current().budgets[0].amount == 900


async def test_another_tenant_neither_sees_nor_decides_what_is_not_its_own(rig: SetupRig) -> None:
    address = await propose(rig)
    rig.log_in_as("admin", "globex", name="lead")
    assert address not in (await rig.client.get("/setup/proposals")).text
    assert (await rig.client.get(address)).status_code == 404
    for verb in ("publish", "refuse"):
        assert (await rig.client.post(f"{address}/{verb}", data={"base": "1"})).status_code == 404
    own = (await rig.post("/setup/budgets/publish", **BUDGET)).headers["location"]
    rig.log_in_as("approver", "globex", name="second")
    assert (await rig.client.post(f"{own}/publish", data={"base": "1"})).status_code == 303
    assert rig.desk.current().budgets[-1].tenant == "globex"


async def test_a_console_that_ends_after_publishing_does_not_publish_again(
    rig: SetupRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await propose(rig)
    rig.log_in_as("approver", "default", name="ap")
    keep = rig.desk.keep

    def ends(proposal: Proposal) -> None:
        if proposal.state != "open":
            raise Retryable("Kafka does not answer")
        keep(proposal)

    with monkeypatch.context() as patched:
        patched.setattr(rig.desk, "keep", ends)
        assert (await rig.client.post(f"{address}/publish", data={"base": "1"})).status_code == 503
    assert len(rig.desk.kept) == 2
    answer = await rig.client.post(f"{address}/publish", data={"base": "2"})
    assert (answer.status_code, "published by ap already" in answer.text) == (409, True)
    assert "Published by ap as revision 2" in (await rig.client.get(address)).text
    assert len(rig.desk.kept) == 2


async def test_a_proposal_that_lost_a_race_stays_open(rig: SetupRig) -> None:
    address = await propose(rig)
    rig.log_in_as("approver", "default", name="ap")
    rig.desk.rival = rig.desk.current().model_copy(update={"revision": 2, "note": "rival"})
    assert (await rig.client.post(f"{address}/publish", data={"base": "1"})).status_code == 409
    rig.desk.rival = None
    assert (await rig.client.post(f"{address}/publish", data={"base": "2"})).status_code == 303
    assert [one.note.split("; ")[0] for one in rig.desk.kept] == ["", "rival", "for Q1"]


async def test_without_the_setting_a_change_is_published_at_once(tmp_path: Path) -> None:
    rig = SetupRig(tmp_path)
    rig.log_in_as("editor", "default", name="ed")
    assert "/setup/proposals" not in (await rig.client.get("/setup/budgets")).text
    assert (
        (await rig.post("/setup/budgets/publish", **BUDGET)).headers["location"].startswith("/setup/budgets")
    )
    assert rig.desk.current().author == "ed"
