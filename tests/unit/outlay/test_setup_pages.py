"""Set-up in the browser: who may change what, what a form does, and what happens when two publish at once."""

import io
import re
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from tests.support.console_routes import NOW, addresses
from tests.support.setup_rig import SetupRig

from outlay.catalog import load
from outlay.catalog.publish import same_content
from outlay_console.domain.roles import LEAST, ROLES, Role, covers
from outlay_schemas.tenants import alert_note

BUDGET = {"f.id": "growth", "f.name": "Growth", "f.amount": "5000", "f.scope": "team: growth"}


@pytest.fixture
def rig(tmp_path: Path) -> SetupRig:
    return SetupRig(tmp_path)


def test_the_table_of_roles_has_every_route_of_set_up_and_no_other(rig: SetupRig) -> None:
    table = {(method, path) for method, path in LEAST if path.startswith("/setup")}
    assert {(method, path) for method, _, path in rig.addresses()} == table


async def test_every_route_lets_in_whom_the_table_names_and_refuses_the_others(rig: SetupRig) -> None:
    for method, path, _ in rig.addresses():
        answer = await rig.client.request(method, path, data={"base": "1"} if method == "POST" else None)
        assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login"), path
    for role in ROLES:
        rig.log_in_as(role, "default")
        for method, path, route in rig.addresses():
            answer = await rig.client.request(method, path, data={} if method == "POST" else None)
            assert (answer.status_code == 403) is not covers(role, LEAST[method, route]), (role, path)  # type: ignore[arg-type]
    assert len(rig.desk.kept) == 1


NO_PAGE = {
    "/stream", "/metrics",  # for programs
    "/notes", "/notes/a-globex", "/views/a-globex", "/opportunities/a-globex",  # only forms are below
    "/setup/channels/a-globex", "/setup/keys/a-globex",
}  # fmt: skip
"""Not pages, though an address begins with them."""


async def test_an_address_without_its_last_part_leads_to_a_page(rig: SetupRig) -> None:
    found = {path for _, path in addresses(rig.console)}
    above = {str(one) for path in found for one in PurePosixPath(path).parents}
    for tenant in ("default", "globex"):
        rig.log_in_as("admin", tenant)
        missing = set()
        for path in above:
            answer = await rig.client.get(path, follow_redirects=True)
            if "This page does not exist." in answer.text:
                missing.add(path)
        assert missing == NO_PAGE


@pytest.mark.parametrize("tenant", ["default", "globex"])
@pytest.mark.parametrize("role", ["editor", "approver", "admin"])
async def test_set_up_opens_at_its_first_page(rig: SetupRig, tenant: str, role: Role) -> None:
    rig.log_in_as(role, tenant)
    answer = await rig.client.get("/setup", follow_redirects=True)
    assert (answer.status_code, answer.url.path) == (200, "/setup/start")
    assert answer.text.index('href="/setup/start" aria-current="page"') < answer.text.index(
        'href="/setup/budgets"', answer.text.index('aria-label="Set-up"')
    ), "the first of its tabs"


async def test_a_post_from_another_site_changes_nothing(rig: SetupRig) -> None:
    rig.log_in_as("admin", "default", name="kim")
    known = len(rig.file.all())
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://x.de"},
    ):
        for method, path, _ in rig.addresses():
            if method == "POST":
                answer = await rig.client.request(method, path, data=BUDGET | {"base": "1"}, headers=headers)
                assert answer.status_code == 403, (path, headers)
    assert (len(rig.desk.kept), len(rig.file.all())) == (1, known)


async def test_a_budget_is_checked_planned_and_published_with_its_author(rig: SetupRig) -> None:
    rig.log_in_as("admin", "default", name="kim")
    planned = await rig.post("/setup/budgets/plan", **BUDGET)
    assert planned.status_code == 200
    assert "budgets: growth" in planned.text
    assert len(rig.desk.kept) == 1, "a plan publishes nothing"
    done = await rig.post("/setup/budgets/publish", **BUDGET, note="for Q1")
    assert done.headers["location"] == "/setup/budgets?published=2"
    new = rig.desk.current()
    assert (new.author, new.note, [b.id for b in new.budgets]) == ("kim", "for Q1", ["g", "all", "growth"])
    page = (await rig.client.get("/setup/budgets?published=2")).text
    assert "Revision 2 is published." in page
    assert "Growth" in page
    edited = (await rig.client.get("/setup/budgets/edit?key=growth")).text
    assert 'value="5000"' in edited
    gone = await rig.post("/setup/budgets/publish", key="growth", remove="1")
    assert gone.status_code == 303
    assert [budget.id for budget in rig.desk.current().budgets] == ["g", "all"]
    (entry,) = [e for e in rig.log.read() if e.subject == "after revision 1"]
    assert entry.action == "catalog.publish"


async def test_a_mistake_has_the_text_and_place_of_the_command_line_at_its_field(rig: SetupRig) -> None:
    rig.log_in_as("admin", "default", name="kim")
    wrong = BUDGET | {"f.amount": "-5", "f.thresholds": "80, 50", "f.scope": "taem: growth"}
    page = await rig.post("/setup/budgets/plan", **wrong)
    assert page.status_code == 400
    for text in (
        "[2].amount: Input should be greater than 0",
        "[2].thresholds: Value error, thresholds must be distinct and grow",
        "taem is not a dimension; did you mean team?",
        "budgets.yaml:",
    ):
        assert text in page.text
    for name in ("amount", "thresholds", "scope"):
        assert re.search(rf'id="f-{name}"[^>]*aria-invalid="true"', page.text), name
    assert 'value="-5"' in page.text, "what was typed stays"
    assert (await rig.post("/setup/budgets/publish", **wrong)).status_code == 400
    broken = await rig.post("/setup/budgets/plan", **(BUDGET | {"f.scope": "{team: growth"}))
    assert "this is not YAML" in broken.text
    assert len(rig.desk.kept) == 1


@pytest.mark.parametrize("late", [True, False])
async def test_what_somebody_else_published_meanwhile_is_explained_and_kept(
    rig: SetupRig, late: bool
) -> None:
    rig.log_in_as("admin", "default", name="kim")
    first = rig.desk.current()
    budgets = (first.budgets[0].model_copy(update={"amount": Decimal(900)}), first.budgets[1])
    rival = first.model_copy(update={"revision": 2, "author": "ann", "budgets": budgets})
    rig.desk.rival = rival if late else None  # just before ours, or while the form is open
    if not late:
        rig.desk.kept.append(rival)
    page = await rig.client.post("/setup/budgets/publish", data=BUDGET | {"base": "1", "key": "", "type": ""})
    assert page.status_code == 409
    assert "Not published: revision 2 was published by ann" in page.text
    assert "amount: 5 → 900" in page.text
    assert rig.desk.current() == rival
    rig.desk.rival = None
    again = await rig.client.post(
        "/setup/budgets/publish", data=BUDGET | {"base": "2", "key": "", "type": ""}
    )
    assert again.status_code == 303
    assert [b.amount for b in rig.desk.current().budgets] == [900, 7, 5000]


async def test_an_admin_of_another_tenant_sees_and_changes_only_its_own(rig: SetupRig) -> None:
    rig.log_in_as("admin", "globex")
    page = (await rig.client.get("/setup/budgets")).text
    assert "Globex" in page
    assert "Everyone" not in page
    for path in (
        "/setup/channels",
        "/setup/routes",
        "/setup/history",
        "/setup/history/1/files",
    ):
        assert (await rig.client.get(path)).status_code == 403, path
    assert (await rig.client.get("/setup/budgets/edit?key=all")).status_code == 404
    assert (await rig.post("/setup/budgets/publish", key="all", remove="1")).status_code == 404
    assert (await rig.post("/setup/budgets/publish", **BUDGET, **{"f.tenant": "acme"})).status_code == 303
    assert rig.desk.current().budgets[-1].tenant == "globex"
    owner = {"f.key": "user", "f.value": "ann", "f.sets": "team: x"}
    assert (await rig.post("/setup/owners/publish", **owner, **{"f.tenant": "*"})).status_code == 303
    assert rig.desk.current().owners[-1].tenant == "globex"
    keys = (await rig.client.get("/setup/keys")).text
    assert keys.count("globex") >= 2
    assert "acme" not in keys
    other = next(key.id for key in rig.file.all() if key.tenant == "acme")
    assert (await rig.client.post(f"/setup/keys/{other}/revoke", data={})).status_code == 404
    made = await rig.client.post("/setup/keys/create", data={"tenant": "acme", "scope.read": "1"})
    assert made.status_code == 200
    assert rig.file.all()[-1].tenant == "globex"


async def test_rules_channels_owners_and_routes_have_forms_too(rig: SetupRig) -> None:
    rig.log_in_as("admin", "default", name="kim")
    rule: dict[str, str] = {"f.id": "spike", "f.name": "Spike", "f.group_by": "project, sku"}
    assert (await rig.post("/setup/rules/publish", **rule | {"type": "spend_spike"})).status_code == 303
    url = "${env:OUTLAY_CHANNEL_TEAM}"
    channel = {"f.id": "team", "f.url": url, "type": "slack"}
    assert (await rig.post("/setup/channels/publish", **channel)).status_code == 303
    owner = {"f.key": "user", "f.value": "ann", "f.sets": "team: growth", "f.from": "2026-06-01"}
    assert (await rig.post("/setup/owners/publish", **owner)).status_code == 303
    route = {"f.match": "severity: critical", "f.channels": "team"}
    assert (await rig.post("/setup/routes/publish", **route)).status_code == 303
    new = rig.desk.current()
    assert new.rules[0].group_by == ("project", "sku")  # type: ignore[union-attr]
    assert new.channels[0].url == url  # type: ignore[union-attr]
    assert (new.owners[0].sets, new.owners[0].starts) == (
        {"team": "growth"},
        datetime(2026, 6, 1, tzinfo=UTC),
    )
    assert new.routes[0].channels == ("team",)
    secret = await rig.post("/setup/channels/plan", **channel | {"f.url": "https://hooks.slack.com/T0/B0/x"})
    assert "a secret must not stand in the catalog" in secret.text
    second = {"f.id": "second", "f.url": url, "type": "slack"}
    planned = await rig.post("/setup/channels/plan", **second)
    assert planned.status_code == 200
    assert "no route leads to second" in planned.text
    assert (await rig.post("/setup/channels/publish", **second)).status_code == 303
    assert "no route leads to second" in (await rig.client.get("/setup/channels")).text
    both = route | {"f.channels": "team, second", "key": "0"}
    assert (await rig.post("/setup/routes/publish", **both)).status_code == 303
    assert "no route leads" not in (await rig.client.get("/setup/channels")).text
    assert (await rig.post("/setup/routes/publish", **both | {"f.channels": "team"})).status_code == 303
    assert (await rig.post("/setup/channels/publish", key="second", remove="1")).status_code == 303
    assert [one.id for one in rig.desk.current().channels] == ["team"]
    for part in ("rules", "channels", "owners", "routes"):
        assert (await rig.client.get(f"/setup/{part}")).status_code == 200
    assert (await rig.client.get("/setup/negotiated")).status_code == 404
    assert (await rig.client.get("/setup/rules/edit?type=nix")).status_code == 400


async def test_each_revision_has_a_difference_and_files_that_the_command_line_reads(
    rig: SetupRig, tmp_path: Path
) -> None:
    rig.log_in_as("admin", "default", name="kim")
    await rig.post("/setup/budgets/publish", **BUDGET, note="why <b>")
    listed = (await rig.client.get("/setup/history")).text
    assert "why &lt;b&gt;" in listed
    assert "kim" in listed
    shown = (await rig.client.get("/setup/history/2")).text
    assert "budgets: growth" in shown
    packed = await rig.client.get("/setup/history/2/files")
    zipfile.ZipFile(io.BytesIO(packed.content)).extractall(tmp_path)
    again = load(tmp_path / "catalog-2", layered=True)
    assert same_content(again.model_copy(update={"rates": None}), rig.desk.current())
    assert (await rig.client.get("/setup/history/9")).status_code == 404


async def test_a_key_is_shown_once_and_works_until_it_is_revoked(rig: SetupRig) -> None:
    rig.log_in_as("admin", "default", name="kim")
    page = await rig.client.post("/setup/keys/create", data={"name": "checkout", "scope.ingest": "1"})
    (key,) = re.findall(r"out_live_\w+", page.text)
    found = rig.ring.authenticate(key)
    assert found is not None
    assert (found.name, found.tenant, found.scopes) == ("checkout", "default", ("ingest",))
    assert key not in (await rig.client.get("/setup/keys")).text
    # Kafka is away in this test: the file is changed, and the page says that copies of it do not know.
    revoked = await rig.client.post(f"/setup/keys/{found.id}/revoke", data={})
    assert "is revoked here, but not for services with another copy" in revoked.text
    assert rig.ring.authenticate(key) is None
    none: Any = await rig.client.post("/setup/keys/create", data={"name": "x"})
    assert none.status_code == 400


async def test_where_a_key_of_the_demo_is_made_the_page_says_that_its_alerts_stay(rig: SetupRig) -> None:
    said = f"Note: {alert_note('demo')}."
    for admin in ("default", "globex"):
        rig.log_in_as("admin", admin, name="kim")
        assert (said in (await rig.client.get("/setup/keys")).text) == (admin == "default"), (
            "who may name a tenant"
        )
        assert said not in (await rig.client.get("/setup/start")).text
    rig.log_in_as("admin", "default", name="kim")
    for tenant, more in (("demo", 1), ("acme", 0)):
        made = await rig.client.post("/setup/keys/create", data={"tenant": tenant, "scope.read": "1"})
        assert made.text.count(said) == 1 + more
    own = rig.file.create("demo", ("read", "admin"), NOW)
    rig.ring.refresh()
    rig.client.cookies.clear()
    assert (await rig.client.post("/login", data={"key": own})).status_code == 303
    for path in ("/setup/keys", "/setup/start"):
        assert said in (await rig.client.get(path)).text


async def test_the_first_run_has_a_key_in_every_line_and_says_whether_an_event_came(rig: SetupRig) -> None:
    rig.log_in_as("admin", "default", name="kim")
    page = await rig.client.post("/setup/start/key")
    (key,) = set(re.findall(r"out_live_\w+", page.text))
    assert page.text.count(key) == 5, "shown, and in the lines for curl, SDK, OpenTelemetry and LiteLLM"
    assert "Waiting for your first event" in page.text
    assert (await rig.client.get("/setup/start/state")).json() == {"arrived": False}
    assert key not in (await rig.client.get("/setup/start")).text
