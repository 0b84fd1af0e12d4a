"""The audit log: written once, shown by one query on the page and by the command, to those who may see it."""

from datetime import timedelta

import pytest
from tests.support.console_rig import MARK, NOW, Rig
from tests.support.stack import Stack

from outlay_console.domain.roles import Grant
from outlay_kit.audit import Entry
from outlay_kit.audit_store import AuditShipper, store_entries
from outlay_kit.clickhouse import ClickHouseClient
from outlay_reports.adapters.audit_trail import AUDIT_TRAIL, FAR, AuditRow, audit_row

pytestmark = pytest.mark.stack
GRANTS = (
    Grant(value="approvers", tenant="acme", role="approver"),
    Grant(value="editors", tenant="acme", role="editor"),
)


@pytest.fixture(scope="module")
def clickhouse(rig: Rig, stack: Stack) -> ClickHouseClient:
    return ClickHouseClient(stack.writer.model_copy(update={"database": "console"}))


def entry(n: int, tenant: str, action: str = "alerts.act", actor: str = "kim") -> Entry:
    return Entry(
        NOW - timedelta(minutes=n), actor, action, f"subject-{n}", {"tenant": tenant, "note": MARK}, ""
    )


def trail(clickhouse: ClickHouseClient, **asked: object) -> list[AuditRow]:
    bound = {"tenant": "", "actor": "", "action": "", "before": FAR, "limit": 1000, **asked}
    return [audit_row(row) for row in clickhouse.rows(AUDIT_TRAIL, bound)]


async def test_an_approver_sees_who_did_what_in_their_tenant_and_no_other(
    rig: Rig, clickhouse: ClickHouseClient
) -> None:
    store_entries(clickhouse, [entry(1, "acme"), entry(2, "globex"), entry(3, "", "keys.rotate", "Lee")])
    store_entries(clickhouse, [entry(1, "acme")])
    page = (await rig.person("approvers", GRANTS).get("/audit")).text
    assert page.count("subject-1<") == 1, "stored twice, shown once"
    assert "subject-2" not in page
    assert "subject-3" in page
    assert "catalog.publish" in page
    assert "revision 1 " in page
    assert "x-mark onload" not in page.replace("&lt;x-mark onload", "")
    filtered = (await rig.person("approvers", GRANTS).get("/audit?actor=lee&action=keys.")).text
    assert "subject-3" in filtered
    assert "subject-1<" not in filtered
    assert [row.subject for row in trail(clickhouse, tenant="globex", action="alerts.")] == ["subject-2"]
    assert {"subject-1", "subject-2", "subject-3"} <= {row.subject for row in trail(clickhouse)}


async def test_an_editor_and_a_key_that_reads_do_not_see_it(rig: Rig) -> None:
    assert (await rig.person("editors", GRANTS).get("/audit")).status_code == 403
    reader = await rig.logged_in()
    assert (await reader.get("/audit")).status_code == 403
    assert 'href="/audit' not in (await reader.get("/")).text
    assert (await (await rig.logged_in("kim")).get("/audit")).status_code == 200


async def test_logins_and_actions_arrive_under_who_did_them(rig: Rig, clickhouse: ClickHouseClient) -> None:
    client = await rig.logged_in("kim")
    await client.post("/alerts/a-acme/actions", data={"action": "acknowledged", "note": "shipped"})
    shipper = AuditShipper(rig.dependencies.actions.audit, clickhouse)
    assert shipper.ship() >= 2
    key = f"key {rig.keys['kim'].split('_')[2]}"
    found = trail(clickhouse, tenant="acme", actor=key)
    assert {"alerts.act", "console.login"} <= {row.action for row in found}
    assert '"note":"shipped"' in next(row.details for row in found if row.action == "alerts.act")


async def test_older_entries_are_a_page_further(rig: Rig, clickhouse: ClickHouseClient) -> None:
    store_entries(clickhouse, [entry(1000 + n, "acme", "paging.test") for n in range(150)])
    client, seen, path = rig.person("approvers", GRANTS), 0, "/audit?action=paging."
    while path:
        page = (await client.get(path)).text
        seen += page.count(">paging.test<")
        path = page.split('href="/audit?actor=')[1].split('"')[0] if "Older entries" in page else ""
        path = f"/audit?actor={path}".replace("&amp;", "&") if path else ""
    assert seen == 150
