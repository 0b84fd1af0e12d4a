"""The grants and row policies of docs/bi.md, on the engine: a tenant's user sees that tenant's rows, everywhere."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support import row_policies
from tests.support.stack import Stack

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.migrator import migrate

pytestmark = pytest.mark.stack
PAGE = (Path(__file__).parents[3] / "docs" / "bi.md").read_text("utf-8")
GRANT = re.search(r"^GRANT (SELECT ON .*?) TO outlay_reader;", PAGE, re.DOTALL | re.MULTILINE)
POLICY = r"CREATE ROW POLICY IF NOT EXISTS {} ON (.*?) FOR SELECT USING (.*?) TO"
OWN = re.search(POLICY.format("acme"), PAGE, re.DOTALL)
SERVICES = re.search(POLICY.format("outlay_services"), PAGE, re.DOTALL)
assert GRANT
assert OWN
assert SERVICES
ONE_TENANT = "SELECT DISTINCT tenant FROM outlay."
WITHOUT_TENANT = {"watermark"}
"""Granted, and says nothing of any tenant."""


def tables(text: str) -> set[str]:
    return set(re.findall(r"outlay\.(\w+)", text))


def test_all_that_is_granted_has_a_policy_or_is_a_view_of_such_or_has_no_tenant(stack: Stack) -> None:
    assert GRANT
    assert OWN
    assert SERVICES
    assert tables(OWN[1]) == tables(SERVICES[1])
    settings = stack.writer.model_copy(update={"database": "policies"})
    migrate(settings)
    clickhouse = ClickHouseClient(settings)
    sql = """SELECT name, engine = 'View' AS view, name IN (SELECT table FROM system.columns
        WHERE database = 'policies' AND name = 'tenant') AS whose FROM system.tables WHERE database = 'policies'"""
    rows = {row["name"]: row for row in clickhouse.rows(sql)}
    clickhouse.close()
    assert tables(GRANT[1]) <= rows.keys()
    stored = {name for name in tables(GRANT[1]) if not rows[name]["view"]}
    assert {name for name in stored if rows[name]["whose"]} == tables(OWN[1])
    assert {name for name in stored if not rows[name]["whose"]} == WITHOUT_TENANT


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the user saw, by query."""
    assert GRANT
    assert OWN
    folder = tmp_path_factory.mktemp("policies")
    granted = sorted(tables(GRANT[1]) - WITHOUT_TENANT)
    asked = {
        "grant": f"GRANT {GRANT[1]}",
        "policies": dict.fromkeys(sorted(tables(OWN[1])), OWN[2]),
        "queries": [ONE_TENANT + name for name in granted] + OTHERS,
    }
    (folder / "asked.json").write_text(json.dumps(asked))
    command = [sys.executable, str(Path(row_policies.__file__)), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


OTHERS = [
    "SELECT DISTINCT tenant FROM outlay.ledger FINAL",
    "SELECT DISTINCT tenant FROM merge('outlay', 'ledger')",
    "SELECT min(tenant), max(tenant), count() FROM outlay.ledger",
    "SELECT DISTINCT b.tenant FROM outlay.ledger AS a JOIN outlay.rollup_day AS b ON a.sku != b.tenant",
    "SELECT count() FROM numbers(1) WHERE 'globex' IN (SELECT tenant FROM outlay.ledger)",
    "SELECT DISTINCT tenant FROM outlay.ledger WHERE tenant = 'globex'",
    "SELECT * FROM mergeTreeIndex('outlay', 'ledger')",
    "SELECT * FROM outlay.catalogs",
    "SELECT * FROM outlay.alert_endpoints",
    "SELECT * FROM outlay.alert_outbox",
    "INSERT INTO outlay.ledger (tenant) VALUES ('acme')",
    "SET readonly = 0",
]


def test_every_table_and_view_shows_one_tenant(seen: dict[str, Any]) -> None:
    assert GRANT
    for name in sorted(tables(GRANT[1]) - WITHOUT_TENANT):
        assert seen[ONE_TENANT + name] == ["acme"], name


def test_no_other_way_leads_to_the_others_rows(seen: dict[str, Any]) -> None:
    merged, final, extremes = (seen[query] for query in (OTHERS[1], OTHERS[0], OTHERS[2]))
    assert merged == final == ["acme"]
    assert extremes == ["acme", "acme", "1"]
    assert seen[OTHERS[3]] == ["acme"]
    assert seen[OTHERS[4]] == ["0"]
    assert seen[OTHERS[5]] == []
    assert "row policy" in seen[OTHERS[6]]
    for query in OTHERS[7:]:
        assert re.search("ACCESS_DENIED|READONLY", seen[query]), query


def test_the_embedded_engine_keeps_no_policy_that_a_statement_makes(seen: dict[str, Any]) -> None:
    """Why the embedded stack has no user for one tenant: once this fails, it may have one."""
    assert "ACCESS_STORAGE_FOR_INSERTION_NOT_FOUND" in seen["CREATE"] or "ACCESS_DENIED" in seen["CREATE"]
