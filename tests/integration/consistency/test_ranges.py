"""The last hours or days are the same for a page, a command and the read API."""

import json
import re

import pytest
from starlette.testclient import TestClient
from tests.support.consistency.surfaces import System

from outlay_console.app import Console

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
@pytest.mark.parametrize("length", ["3h", "24h", "7d", "30d", "90d"])
def test_the_last_hours_or_days_have_the_same_events_everywhere(
    system: System, length: str, zone: str
) -> None:
    shown = re.search(r">([\d,]+) events?</a>", system.page(f"/explore?range={length}&tz={zone}"))
    assert shown is not None
    command = json.loads(system.command("report", "showback", "--from", length, "--tz", zone, "--json"))
    with TestClient(Console(system.dependencies).app()) as client:
        api = client.get(
            f"/api/v1/reports/showback?from={length}&tz={zone}",
            headers={"authorization": f"Bearer {system.key}"},
        ).json()
    events = [sum(row["events"] for row in answer["rows"]) for answer in (command, api)]
    assert events == [int(shown[1].replace(",", ""))] * 2
    assert events[0] > 0
