"""Every surface that converts, asked for the month in EUR. None of this converts anything: it only reads answers."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from starlette.testclient import TestClient
from tests.support.consistency.surfaces import System, explore

from outlay_console.app import Console

MONTH, CODE = "2026-11", "EUR"
REPORTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "showback": ("showback", {"by": "team", "from": MONTH}),
    "showback, deep": ("showback", {"by": "team,user,model", "from": MONTH}),
    "top": ("top", {"by": "user", "limit": "2", "from": MONTH}),
    "trend by hour": ("trend", {"by": "team,model", "unit": "hour", "from": MONTH}),
    "trend by day": ("trend", {"unit": "day", "from": MONTH}),
    "compare": ("compare", {"by": "team", "from": MONTH}),
    "chargeback": ("chargeback", {"by": "team", "lines": "user,model", "month": MONTH}),
}
"""Reports of the same month, cut in different ways: their words in the read API and as options of the command."""
WHOLE = {name: "later_eur" if name == "compare" else "cost_eur" for name in REPORTS}
"""The column that is the month's cost in the total of each."""


def reports(system: System) -> dict[str, dict[str, Any]]:
    """Return the answer of each report, of the command and of the read API."""
    found: dict[str, dict[str, Any]] = {}
    with TestClient(Console(system.dependencies).app()) as client:
        for name, (report, words) in REPORTS.items():
            options = [part for key, value in words.items() for part in (f"--{key}", value)]
            text = system.command("report", report, *options, "--currency", CODE, "--json")
            found[f"{name}, command"] = json.loads(text)
            head, asked = {"authorization": f"Bearer {system.key}"}, {**words, "currency": CODE}
            response = client.get(f"/api/v1/reports/{report}", params=asked, headers=head)
            assert response.status_code == 200, response.text
            found[f"{name}, API"] = response.json()
    for name, answer in found.items():
        assert (answer["currency"], answer["rates"]) == (CODE, ["ECB"]), name
    return found


def by_team(system: System) -> dict[str, dict[str, Decimal]]:
    """Return the month by team, from the surfaces that show no report."""
    text = system.command("export", "focus", "--from", MONTH, "--currency", CODE)
    bill: dict[str, Decimal] = defaultdict(Decimal)
    for charge in csv.DictReader(io.StringIO(text)):
        bill[charge["x_Team"]] += Decimal(charge["BilledCost"])
    shown = explore(system, "UTC", "cost_eur", f"&currency={CODE}")["by_team"]
    page = system.page(f"/explore.csv?tz=UTC&range=month&by=team&currency={CODE}")
    rows = {row["team"]: Decimal(row["cost_eur"]) for row in csv.DictReader(io.StringIO(page))}
    return {"FOCUS": dict(bill), "Explore": dict(shown), "Explore's table": named(rows)}


def named(rows: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return amounts by the team's own name."""
    return {"" if team == "(unassigned)" else team: cost for team, cost in rows.items()}
