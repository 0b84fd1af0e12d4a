"""The alerts page and `outlay alerts list` show the same alerts, and say the same when there are more."""

import re
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest
from tests.support.console_rig import NOW, Rig, make
from tests.support.stack import Stack, environment
from typer.testing import CliRunner

from outlay.cli.alerts import app
from outlay_console.domain.roles import Grant
from outlay_kit.clickhouse import ClickHouseClient
from outlay_reports.alert_list import MOST
from outlay_schemas.alerts import Alert
from outlay_schemas.events import encoder
from outlay_schemas.money import Usd

pytestmark = pytest.mark.stack
DATABASE = "console_alert_list"
TEAM = Grant(value="acme viewer of growth", tenant="acme", team="growth")


def row(name: str, state: str, minutes: int) -> dict[str, object]:
    """Return an alert as it is stored, that many minutes ago."""
    at = NOW - timedelta(minutes=minutes)
    body = Alert(
        id=name, tenant="acme", rule="t", rule_type="threshold", scope={"team": "growth"}, window=at, level="above",
        severity="warning", state="resolved" if state == "resolved" else "firing", title=name, summary="",
        expected=Usd("1"), actual=Usd("2"), contributors=[], at=at, query="", started_at=at,
    )  # fmt: skip
    return {
        "tenant": "acme", "id": name, "incident": name, "rule": "t", "state": state, "seq": 1, "window": at,
        "body": encoder.encode(body).decode(), "written_at": at,
    }  # fmt: skip


@pytest.fixture(scope="module")
def rig(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return make(stack, tmp_path_factory.mktemp("alert_list"), DATABASE)


@pytest.fixture
def clickhouse(rig: Rig, stack: Stack) -> Iterator[ClickHouseClient]:
    clickhouse = ClickHouseClient(stack.writer.model_copy(update={"database": DATABASE}))
    clickhouse.command("TRUNCATE TABLE alerts")
    yield clickhouse
    clickhouse.close()


def store(clickhouse: ClickHouseClient, rows: list[dict[str, object]]) -> None:
    clickhouse.insert_json_lines("alerts", b"\n".join(encoder.encode(one) for one in rows))


async def listed(rig: Rig, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> tuple[set[str], str, str]:
    """Return the ids that both list, the page, and what the command says beside its answer."""
    page = (await (await rig.logged_in()).get("/alerts")).text
    for name, value in environment(
        stack.kafka, stack.writer.model_copy(update={"database": DATABASE})
    ).items():
        monkeypatch.setenv(name, value)
    answer = CliRunner().invoke(app, ["list", "--all", "--tenant", "acme", "--json"])
    assert answer.exit_code == 0, answer.output
    ids = {one["id"] for one in msgspec.json.decode(answer.stdout)}
    assert set(re.findall(r'class="what" href="/alerts/([^"]+)"', page)) == ids
    return ids, page, answer.stderr


async def test_both_show_the_newest_and_say_that_there_are_more(
    rig: Rig, stack: Stack, clickhouse: ClickHouseClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [row("open", "firing", 10_000), row("waits", "pending", 1)]
    store(clickhouse, old + [row(f"r{n}", "resolved", n) for n in range(MOST + 40)])
    ids, page, said = await listed(rig, stack, monkeypatch)
    assert ids == {"open", *(f"r{n}" for n in range(MOST - 1))}
    for text in (page, said):
        assert f"Showing {MOST} of {MOST + 41} alerts: open ones first, then the newest." in text
    more = CliRunner().invoke(app, ["list", "--all", "--limit", str(MOST + 41), "--json"])
    assert len(msgspec.json.decode(more.stdout)) == MOST + 41
    assert "Showing" not in more.stderr
    team = (await rig.person(TEAM.value, [TEAM]).get("/alerts")).text
    assert "alerts were searched for those of your teams" in team
    assert str(MOST + 41) not in team, "a number about other teams, too"


async def test_neither_says_so_when_these_are_all(
    rig: Rig, stack: Stack, clickhouse: ClickHouseClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(clickhouse, [row(f"r{n}", "resolved", n) for n in range(MOST)])
    ids, page, said = await listed(rig, stack, monkeypatch)
    assert len(ids) == MOST
    assert "Showing" not in page + said
