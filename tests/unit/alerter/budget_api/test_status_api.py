"""The status of a budget over HTTP: cached, strict, and unknown."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
from starlette.testclient import TestClient

from outlay_alerter.budget_api import http as openapi
from outlay_alerter.budget_api.http import BudgetStatusApi
from outlay_alerter.budget_api.service import Answer, BudgetStatusService, UnknownBudgetError
from outlay_alerter.http_server import application
from outlay_alerter.rules import budget as budgets
from outlay_alerter.rules.budget import Spent
from outlay_alerter.rules.budget import compile_rule as budget_of
from outlay_alerter.rules.watch import Budget
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clock import FakeClock
from outlay_kit.errors import Retryable
from outlay_kit.keys import KeyFile, KeyRing
from outlay_reports.budgets import BudgetStatus, budget_period
from outlay_schemas.catalog import Budget as Written
from outlay_schemas.catalog import Catalog

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DOLLAR = 10**12
CATALOG = Catalog(
    revision=1,
    created_at=NOW,
    budgets=(
        Written(id="b", name="B", tenant="*", amount=Decimal(10)),
        Written(id="c", name="C", tenant="*", amount=Decimal(10), fail="closed"),
        Written(id="other", name="O", tenant="globex", amount=Decimal(10)),
    ),
)
WATCHLIST = Watchlist(CATALOG)


@dataclass
class FakeReader:
    """Spending in dollars; away: the status is unknown."""

    spent: int = 1
    away: bool = False
    asked: list[str] = field(default_factory=list)

    def standing(self, budget: Budget) -> BudgetStatus:
        self.asked.append(budget.tenant)
        if self.away:
            raise Retryable("away")
        return budgets.status(budget, budget_period(budget, NOW), Spent(self.spent * DOLLAR), NOW)


def ask(service: BudgetStatusService, *asks: tuple[str, float], fail: str | None = None) -> list[Answer]:
    """Ask on one loop, one after another; let what runs behind an answer end."""

    async def work() -> list[Answer]:
        answers = []
        for name, max_age in asks:
            answers.append(await service.ask("acme", name, max_age, fail))  # type: ignore[arg-type]
            await asyncio.sleep(0.05)
        return answers

    return asyncio.run(work())


def test_an_answer_is_from_memory_while_it_is_new_enough_and_strict_is_computed_now() -> None:
    reader, clock = FakeReader(), FakeClock(NOW)
    service = BudgetStatusService(lambda: reader, lambda: WATCHLIST, clock)
    first, second = ask(service, ("b", 10), ("b", 10))
    assert (first.allowed, second.known, len(reader.asked)) == (True, True, 1)
    reader.spent = 12
    (strict,) = ask(service, ("b", 0))
    assert (strict.allowed, strict.status and strict.status.standing, len(reader.asked)) == (False, "over", 2)


def test_an_old_status_is_computed_again_behind_the_answer() -> None:
    reader, clock = FakeReader(), FakeClock(NOW)
    service = BudgetStatusService(lambda: reader, lambda: WATCHLIST, clock)
    ask(service, ("b", 10))
    reader.spent = 12
    clock.advance(3)
    behind, after = ask(service, ("b", 10), ("b", 10))
    assert (behind.allowed, behind.age, after.allowed) == (True, 3.0, False)
    clock.advance(30)
    reader.spent = 1
    (waited,) = ask(service, ("b", 10))
    assert waited.allowed


def test_an_unknown_status_follows_the_policy_of_the_caller_or_of_the_budget() -> None:
    reader, clock = FakeReader(away=True), FakeClock(NOW)
    service = BudgetStatusService(lambda: reader, lambda: WATCHLIST, clock)
    assert [a.allowed for a in ask(service, ("b", 10), ("c", 10))] == [True, False]
    assert [a.allowed for a in ask(service, ("b", 10), ("c", 10), fail="closed")] == [False, False]
    assert [a.allowed for a in ask(service, ("b", 0), ("c", 0), fail="open")] == [True, True]
    assert {a.known for a in ask(service, ("b", 10))} == {False}


def test_what_was_used_up_before_a_restart_stays_used_up_until_the_period_ends() -> None:
    reader, clock = FakeReader(spent=12), FakeClock(NOW)
    before = reader.standing(budget_of(CATALOG.budgets[0], "acme"))
    clock.advance(3600)
    reader.away = True
    service = BudgetStatusService(lambda: reader, lambda: WATCHLIST, clock)
    service.learn([before])
    (answer,) = ask(service, ("b", 10))
    assert (answer.allowed, answer.known, answer.age) == (False, False, 3600.0)
    assert not ask(service, ("b", 10), fail="open")[0].allowed
    clock.advance(10 * 86_400)  # the next month
    assert ask(service, ("b", 10))[0].allowed
    assert not ask(service, ("b", 10), fail="closed")[0].allowed


def test_what_an_evaluation_finds_is_answered_without_asking_again() -> None:
    reader, clock = FakeReader(spent=12), FakeClock(NOW)
    service = BudgetStatusService(lambda: reader, lambda: WATCHLIST, clock)
    service.learn([reader.standing(budget_of(CATALOG.budgets[0], "acme"))])
    reader.away = True
    (answer,) = ask(service, ("b", 10))
    assert (answer.allowed, answer.known) == (False, True)


def test_another_tenants_budget_is_not_there_and_a_new_catalog_counts_at_once() -> None:
    now = [WATCHLIST]
    service = BudgetStatusService(FakeReader, lambda: now[0], FakeClock(NOW))
    for name in ("other", "nothing"):
        with pytest.raises(UnknownBudgetError):
            ask(service, (name, 10))
    less = CATALOG.model_copy(update={"budgets": (Written(id="b", name="B", tenant="*", amount=Decimal(1)),)})
    assert ask(service, ("b", 10))[0].allowed
    now[0] = Watchlist(less)
    assert not ask(service, ("b", 10))[0].allowed


@dataclass
class Rig:
    client: TestClient
    reader: FakeReader
    keys: KeyFile
    ring: KeyRing


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    clock, reader, path = FakeClock(NOW), FakeReader(), tmp_path / "keys.json"
    ring = KeyRing(path, clock)
    service = BudgetStatusService(lambda: reader, lambda: WATCHLIST, clock)
    with TestClient(
        application(BudgetStatusApi(service, ring, clock).routes()), raise_server_exceptions=False
    ) as client:
        yield Rig(client, reader, KeyFile(path), ring)


def key(rig: Rig, *scopes: str, tenant: str = "acme") -> dict[str, str]:
    whole = rig.keys.create(tenant, scopes, NOW)  # type: ignore[arg-type]
    rig.ring.refresh()
    return {"Authorization": f"Bearer {whole}"}


def test_the_tenant_is_the_keys_and_the_answer_is_as_documented(rig: Rig) -> None:
    answer = rig.client.get("/v1/budgets/b/status", headers=key(rig, "ingest", tenant="globex"))
    assert answer.status_code == 200
    body = answer.json()
    assert (body["tenant"], body["allowed"], body["spent"], body["remaining"]) == ("globex", True, "1", "9")
    document = rig.client.get("/openapi.json").json()
    assert document == openapi.document()
    whole = {**document["components"]["schemas"]["BudgetStatus"], "components": document["components"]}
    jsonschema.validate(body, whole)
    rig.reader.away = True
    away = rig.client.get("/v1/budgets/c/status?mode=strict", headers=key(rig, "read"))
    assert (away.status_code, away.json()["allowed"], away.json()["known"]) == (200, False, False)
    jsonschema.validate(away.json(), whole)


@pytest.mark.parametrize(
    ("path", "scopes", "status", "code"),
    [
        ("/v1/budgets/b/status", None, 401, "key_missing"),
        ("/v1/budgets/b/status", ("admin",), 403, "scope"),
        ("/v1/budgets/nothing/status", ("read",), 404, "budget_unknown"),
        ("/v1/budgets/other/status", ("read",), 404, "budget_unknown"),
        ("/v1/budgets/b/status?mode=fast", ("read",), 400, "parameter"),
        ("/v1/budgets/b/status?fail=maybe", ("read",), 400, "parameter"),
        ("/v1/budgets/b/status?max_age=-1", ("read",), 400, "parameter"),
        ("/v1/budgets/b/status?max_age=nan", ("read",), 400, "parameter"),
        ("/v1/budgets", ("read",), 404, "not_found"),
    ],
)
def test_what_cannot_be_answered_is_a_problem(
    rig: Rig, path: str, scopes: tuple[str, ...] | None, status: int, code: str
) -> None:
    answer = rig.client.get(path, headers=key(rig, *scopes) if scopes else {})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_key_is_not_known(rig: Rig) -> None:
    answer = rig.client.get("/v1/budgets/b/status", headers={"X-API-Key": "out_live_x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "key_unknown")
