"""The read API says what the command line says, to the keys that may read, of their own tenant."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from tests.support.console_rig import SECRET, SPLITS, Rig
from tests.support.stack import Stack
from typer.testing import CliRunner

from outlay.catalog import load_default
from outlay.catalog.publish import publish
from outlay.main import app
from outlay_kit.clock import SystemClock
from outlay_reports.savings import NO_ANALYSIS

pytestmark = pytest.mark.stack
SPAN = {"from": "2026-11-22", "to": "2026-11-24", "tz": "Europe/Berlin"}
ASKED = [
    ("showback", {"by": "business_unit,team,model"}),
    ("showback", {"by": "user", "where": "team=growth", "units": "true"}),
    ("showback", {"by": "tags.env"}),
    ("top", {"by": "model,user", "limit": "3"}),
    ("trend", {"by": "team", "unit": "hour"}),
    ("showback", {"by": "team", "allocate": "true"}),
    ("compare", {"by": "team,model", "against": "2026-11-20..2026-11-21"}),
]


def command(stack: Stack, report: str, params: dict[str, str], form: str) -> str:
    """Return what the command prints for the same words."""
    words = ["report", report, "--format", form, "--tenant", "acme"]
    for name, value in params.items():
        words += [f"--{name}"] if value == "true" else [f"--{name}", value]
    environment = {**stack.environment, "OUTLAY_CLICKHOUSE_DATABASE": "console"}
    result = CliRunner().invoke(app, words, env=environment, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module", autouse=True)
def published(rig: Rig, stack: Stack) -> None:
    """Let the command find the splits that the console knows."""
    publish(stack.kafka, load_default().model_copy(update={"splits": SPLITS}), SystemClock())


@pytest.mark.parametrize(("report", "more"), ASKED)
async def test_it_says_what_the_command_says(
    rig: Rig, stack: Stack, report: str, more: dict[str, str]
) -> None:
    params = {**SPAN, **more}
    async with rig.client() as client:
        headers = {"authorization": f"Bearer {rig.keys['acme']}"}
        said = await client.get(f"/api/v1/reports/{report}", params=params, headers=headers)
        table = await client.get(
            f"/api/v1/reports/{report}", params={**params, "format": "csv"}, headers=headers
        )
    assert said.status_code == 200, said.text
    assert said.json() == json.loads(command(stack, report, params, "json"))
    assert said.json()["rows"]
    assert table.text == command(stack, report, params, "csv")
    assert len(list(csv.DictReader(io.StringIO(table.text)))) == len(said.json()["rows"])


async def test_a_month_is_charged_back_the_same(rig: Rig, stack: Stack) -> None:
    async with rig.client() as client:
        headers = {"authorization": f"Bearer {rig.keys['acme']}"}
        params = {"month": "2026-11", "tz": "Asia/Kolkata", "lines": "team,sku"}
        said = (await client.get("/api/v1/reports/chargeback", params=params, headers=headers)).json()
    expected = json.loads(command(stack, "chargeback", params, "json"))
    assert said["rows"] == expected["rows"]
    assert said["total"] == expected["total"]
    assert {row["line"] for row in said["rows"]} == {"own", "shared"}


async def test_possible_savings_are_those_of_the_page_as_far_as_they_are_asked_for(rig: Rig) -> None:
    async def ask(tenant: str = "acme", **params: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {rig.keys[tenant]}"}
        async with rig.client() as client:
            answer = await client.get("/api/v1/reports/opportunities", params=params, headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    found = await ask()
    (row,) = found["rows"]
    assert (row["id"], row["provider"], row["status"]) == ("o-acme", "openai", "open")
    assert (row["saving_usd"], row["monthly_usd"], row["share"]) == ("20", "200", "0.5")
    assert "together at least $200 a month: the best way for each model or SKU" in found["notes"]
    assert "prompt caching already saved $1.50 in this period" in found["notes"]
    page = (await (await rig.logged_in()).get("/opportunities")).text
    assert '<b class="mid">$200</b>' in page
    assert (await ask(least="200"))["rows"] == [row]
    assert (await ask(least="200.01"))["rows"] == []
    assert [one["id"] for one in (await ask("globex"))["rows"]] == ["o-globex"]
    empty = await ask("empty")
    assert (empty["rows"], empty["notes"]) == ([], list(NO_ANALYSIS.notes))


async def test_a_key_reads_its_own_tenant_whatever_is_asked(rig: Rig) -> None:
    async with rig.client() as client:
        for tenant in ("acme", "empty"):
            headers = {"authorization": f"Bearer {rig.keys[tenant]}"}
            for where in ("tenant=globex", f"team={SECRET}", "tenant=globex,acme"):
                answer = await client.get(
                    "/api/v1/reports/top", params={"by": "tenant,team", "where": where}, headers=headers
                )
                assert {row["tenant"] for row in answer.json()["rows"]} <= {"acme"}
                assert not any(row["team"] == SECRET for row in answer.json()["rows"])
        other = await client.get(
            "/api/v1/reports/showback", headers={"authorization": f"Bearer {rig.keys['globex']}"}
        )
        assert Decimal(other.json()["total"]["cost_usd"]) == Decimal("77.5")


async def test_without_a_key_nothing_is_said_and_keys_cannot_be_guessed_for_long(rig: Rig) -> None:
    async with rig.client() as client:
        codes = []
        for n in range(7):
            key = f"out_live_{'a' * 12}_{n:032d}"
            answer = await client.get("/api/v1/reports/top", headers={"authorization": f"Bearer {key}"})
            codes.append(answer.status_code)
        assert codes == [401] * 5 + [429] * 2
        assert answer.headers["retry-after"]
        right = await client.get(
            "/api/v1/reports/top", headers={"authorization": f"Bearer {rig.keys['acme']}"}
        )
        assert right.status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("top?by=colour", 400, "not a dimension"), ("top?limit=0", 400, "limit"),
        ("top?from=soon", 400, "is not a time"),
        ("trend?unit=fortnight", 400, "is not a unit of time"), ("top?colour=red", 400, "cannot be asked"),
        ("top?from=2026-11-02&to=2026-11-01", 400, "empty"), ("top?format=xml", 400, "is not a format"),
        ("showback?units=yes", 400, "units"), ("chargeback?month=november", 400, "is not a month"),
        ("nothing", 404, "no such report"),
        ("trend?unit=hour&from=2001-01-01", 400, "9,000"),
        ("opportunities?least=-1", 400, "least is '-1'"), ("opportunities?least=1e9", 400, "least is '1e9'"),
        ("opportunities?limit=0", 400, "limit"), ("opportunities?dismissed=1", 400, "dismissed is '1'"),
        ("opportunities?from=7d", 400, "cannot be asked"),
    ],
)  # fmt: skip
async def test_what_cannot_be_answered_says_what_to_do(
    rig: Rig, path: str, status: int, expected: str
) -> None:
    async with rig.client() as client:
        answer = await client.get(
            f"/api/v1/reports/{path}", headers={"authorization": f"Bearer {rig.keys['acme']}"}
        )
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert expected in answer.json()["detail"]
    assert answer.json()["type"] == f"urn:outlay:problem:{answer.json()['code']}"


async def test_answers_are_as_openapi_describes_them_and_a_page_shows_it(rig: Rig) -> None:
    async with rig.client() as client:
        document = (await client.get("/openapi.json")).json()
        page = await client.get("/docs")
        headers = {"authorization": f"Bearer {rig.keys['acme']}"}
        for path, methods in document["paths"].items():
            about = methods["get"]
            assert f'id="{about["operationId"]}"' in page.text
            params = {one["name"]: one["example"] for one in about["parameters"] if "example" in one}
            right = await client.get(path, params=params, headers=headers)
            wrong = await client.get(path, params={**params, "colour": "red"}, headers=headers)
            for code, answer in ((200, right), (400, wrong)):
                assert answer.status_code == code, answer.text
                (content, *_) = about["responses"][str(code)]["content"].values()
                jsonschema.validate(
                    answer.json(), {**content["schema"], "components": document["components"]}
                )
    assert "style-src" in page.headers["content-security-policy"]
