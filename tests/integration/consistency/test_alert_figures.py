"""A title keeps the figures of its newest message, while budgets move on: every list says from when they are."""

import json
import re

import pytest
from tests.support.consistency.data import NOW, TENANT
from tests.support.consistency.surfaces import System, evaluate_alerts

from outlay_reports.incidents import incidents

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def test_the_list_its_json_and_the_console_say_from_when_a_titles_figures_are(system: System) -> None:
    stored = evaluate_alerts(system).values()
    shown = incidents((alert, alert.state) for alert in stored)
    assert shown
    table = system.command("alerts", "list", "--tenant", TENANT).splitlines()
    head = next(line for line in table if line.startswith("since (UTC)"))
    listed = json.loads(system.command("alerts", "list", "--tenant", TENANT, "--json"))
    assert {row["id"]: row["at"][:19] for row in listed} == {
        alert.id: f"{alert.at:%Y-%m-%dT%H:%M:%S}" for alert in stored
    }
    page, overview = system.page("/alerts?tz=UTC"), system.page("/?tz=UTC")
    for incident in shown:
        main = incident.main
        assert main.at == NOW
        (line,) = [line for line in table if incident.id[:20] in line]
        assert line[head.index("figures of (UTC)") :].startswith(f"{main.at:%Y-%m-%d %H:%M:%S}")
        assert main.title in line
        one = system.page(f"/alerts/{main.id}?tz=UTC")
        for text in (page, overview, one):
            assert main.title in re.sub(r"<[^>]+>", "", text)
            assert f"figures of {main.at:%Y-%m-%d %H:%M}" in text
