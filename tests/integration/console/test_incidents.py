"""The alerts page shows incidents: one entry with its parts, in the words of all channels; actions are on the whole."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.support.console_rig import NOW, Rig, make
from tests.support.stack import Stack

from outlay_kit.clickhouse import ClickHouseClient
from outlay_reports.alert_text import AlertText, text_of
from outlay_schemas.alerts import Alert, Contributor, Incident, Part
from outlay_schemas.events import encoder
from outlay_schemas.money import Usd

pytestmark = pytest.mark.stack
AT = NOW - timedelta(minutes=5)


def alert(name: str, rule: str, title: str, **changes: object) -> Alert:
    parts = [
        Part("inc-1", "t", "threshold", "Cost above $10", "critical", "firing", AT),
        Part("inc-2", "s", "spend_spike", "Spike of u-loop", "warning", "firing", AT),
    ]
    made = Alert(
        id=name, tenant="acme", rule=rule, rule_type="threshold", scope={"user": "u-loop"}, window=AT, level="above",
        severity="warning", state="firing", title=title, summary="A loop.", expected=Usd("10"), actual=Usd("19.69"),
        contributors=[Contributor("sku", "gpt-5-pro", Usd("19.69"))], at=AT, query="", started_at=AT,
        rate_per_hour=Usd("118"), incident=Incident("inc-1", AT, AT, "critical", "firing", parts),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


ALERTS = [alert("inc-1", "t", "Cost above $10", severity="critical"), alert("inc-2", "s", "Spike of u-loop")]


@pytest.fixture(scope="module")
def rig(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    rig = make(stack, tmp_path_factory.mktemp("incidents"), "console_incidents")
    clickhouse = ClickHouseClient(stack.writer.model_copy(update={"database": "console_incidents"}))
    rows = [
        {"tenant": "acme", "id": one.id, "incident": "inc-1", "rule": one.rule, "state": "firing", "seq": 1,
         "window": one.window, "body": encoder.encode(one).decode()}
        for one in ALERTS
    ]  # fmt: skip
    clickhouse.insert_json_lines("alerts", b"\n".join(encoder.encode(row) for row in rows))
    clickhouse.close()
    return rig


async def test_an_incident_is_one_entry_with_its_parts(rig: Rig) -> None:
    page = (await (await rig.logged_in()).get("/alerts")).text
    assert page.count('class="what" href="/alerts/inc-1"') == 1
    assert 'class="what" href="/alerts/inc-2"' not in page
    assert "2 alerts of one cause" in page
    assert '<a href="/alerts/inc-2">warning: Spike of u-loop</a>' in page


@pytest.mark.parametrize("part", ["inc-1", "inc-2"])
async def test_every_part_leads_to_the_incident_in_the_words_of_all_channels(rig: Rig, part: str) -> None:
    page = (await (await rig.logged_in()).get(f"/alerts/{part}")).text
    text = text_of(ALERTS)
    assert isinstance(text, AlertText)
    assert f"<h1>{text.title}</h1>" in page
    assert f">{text.amounts}</h2>" in page
    assert "Spending $118/hour right now" in page
    for _, line in (*text.parts, *text.top[0].values):
        assert line in page
    assert "outlay alerts ack inc-1" in page


async def test_an_action_on_a_part_is_written_for_the_incident(
    rig: Rig, stack: Stack, tmp_path: Path
) -> None:
    client = await rig.logged_in("kim")
    await client.post("/alerts/inc-2/actions", data={"action": "acknowledged", "note": "mine"})
    page = (await client.get("/alerts")).text
    assert "acknowledged by kim: mine" in page
    clickhouse = ClickHouseClient(stack.reader.model_copy(update={"database": "console_incidents"}))
    rows = clickhouse.rows("SELECT target FROM alert_actions FINAL WHERE comment = 'mine'")
    clickhouse.close()
    assert rows == [{"target": "inc-1"}]
