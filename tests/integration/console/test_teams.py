"""What a viewer of one team sees: that team, on every page, and nothing of the others."""

from decimal import Decimal

import pytest
from tests.support.console_rig import NOW, Rig

from outlay_console.adapters.readers import TenantReader, of_teams
from outlay_console.adapters.rollup_reader import RollupReader
from outlay_console.domain import queries
from outlay_console.domain.roles import OF_TEAMS, Grant
from outlay_console.domain.view import View
from outlay_kit.time_ranges import TimeRange
from outlay_reports.range_sums import Selection

pytestmark = pytest.mark.stack
GRANTS = (
    Grant(value="growth", tenant="acme", team="growth"),
    Grant(value="everything", tenant="acme"),
    Grant(value="nothing", tenant="acme", team="no such team"),
)
PAGES = [
    path for method, path in sorted(OF_TEAMS) if method == "GET" and "stream" not in path and "{" not in path
]


async def test_no_page_names_another_team(rig: Rig) -> None:
    others = {event.team for event in rig.events} - {"growth", ""}
    assert others
    everything, growth = rig.person("everything", GRANTS), rig.person("growth", GRANTS)
    for path in PAGES:
        for query in ("?range=30d&by=team", "?range=30d&by=sku&team=" + min(others)):
            if path == "/event":
                continue
            answer = await growth.get(path + query)
            assert answer.status_code == 200, (path, answer.text)
            assert not [
                team for team in others if f">{team}<" in answer.text or f'"{team}"' in answer.text
            ], path
    whole = (await everything.get("/explore?range=30d&by=team")).text
    assert all(f">{team}<" in whole or f'"{team}"' in whole for team in others), "others do see them"


async def test_the_totals_of_a_team_are_its_own_from_every_table(rig: Rig) -> None:
    span = TimeRange(NOW.replace(minute=0, second=0) - (NOW - NOW.replace(day=24)), NOW.replace(second=0))
    for team in ("growth", "no such team"):
        rollups = RollupReader(TenantReader(rig.dependencies.readers, "acme", (team,)))
        expected = rig.spent(span.start, span.end, team=team)
        wanted = {
            "a": Selection(span),
            "b": Selection(span, {"tags.none": ("",)}),
            "c": Selection(span.before),
        }
        totals = await rollups.totals({"a": wanted["a"]})
        assert totals["a"].cost == expected, "from the rollups"
        totals = await rollups.totals(wanted)
        assert totals["a"].cost == expected == totals["b"].cost, "from the ledger"
        other = next(event.team for event in rig.events if event.team not in ("growth", ""))
        totals = await rollups.totals({"a": Selection(span, {"team": (other,)})})
        assert totals["a"].cost == Decimal(0), "with a filter on another team"
        assert all(row["team"] == team for row in await rollups.events(View(range="30d"), span))


async def test_an_event_and_an_alert_of_another_team_do_not_exist(rig: Rig) -> None:
    growth, nothing = rig.person("growth", GRANTS), rig.person("nothing", GRANTS)
    assert (await growth.get("/alerts/a-acme")).status_code == 200
    assert (await nothing.get("/alerts/a-acme")).status_code == 404
    assert "Spend of growth" not in (await nothing.get("/alerts")).text
    assert "Growth team" in (await growth.get("/budgets")).text
    assert "Growth team" not in (await nothing.get("/budgets")).text
    mine = next(event for event in rig.events if event.team == "growth")
    query = {"source": mine.source, "id": mine.id, "at": str(int(mine.time.timestamp()))}
    assert (await growth.get("/event", params=query)).status_code == 200
    assert (await nothing.get("/event", params=query)).status_code == 404


@pytest.mark.parametrize("path", ["/prices", "/opportunities", "/quality"])
async def test_a_page_about_the_whole_tenant_is_refused_and_not_offered(rig: Rig, path: str) -> None:
    growth = rig.person("growth", GRANTS)
    assert (await growth.get(path)).status_code == 403
    assert f'href="{path}' not in (await growth.get("/")).text


def test_a_question_about_what_has_no_team_is_not_asked() -> None:
    for sql in (queries.OPPORTUNITIES, queries.CONFLICTS, queries.DEAD_LETTERS, queries.CLOCK_SKEW):
        with pytest.raises(ValueError, match="team"):
            of_teams(sql)
    for sql in (queries.EVENT, queries.UNPRICED):
        assert of_teams(sql).count("team IN {only_teams:Array(String)}") == 1
