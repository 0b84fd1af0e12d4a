"""Asking how a budget stands: what is answered, refused, and what is not answered."""

import json

import pytest
from tests.support.receiver import receiving

from outlay_sdk import BudgetStatus, Rejected, budget_status


def test_what_is_answered_is_returned_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        answer = {"allowed": False, "known": True, "standing": "over"}
        receiver.script = [(200, {}, json.dumps(answer).encode())]
        monkeypatch.setenv("OUTLAY_BUDGETS_URL", receiver.url)
        monkeypatch.setenv("OUTLAY_API_KEY", "out_live_x")
        status = budget_status("a b", strict=True, fail="closed")
    assert (status.allowed, status.known, status.body["standing"]) == (False, True, "over")
    (got,) = receiver.got
    assert got.path == "/hook/v1/budgets/a%20b/status?mode=strict&fail=closed"
    assert {k.lower(): v for k, v in got.headers.items()}["authorization"] == "Bearer out_live_x"


def test_a_refusal_is_raised_and_a_failure_is_open_or_closed() -> None:
    with receiving() as receiver:
        receiver.answer(404, 503)
        with pytest.raises(Rejected, match="404"):
            budget_status("b", url=receiver.url)
        assert budget_status("b", url=receiver.url).allowed
        assert not budget_status("b", url=receiver.url, fail="closed").allowed
        url = receiver.url
    away = budget_status("b", url=url, fail="closed")
    assert (away.allowed, away.known) == (False, False)
    with pytest.raises(ValueError, match="OUTLAY_BUDGETS_URL"):
        budget_status("b", url="ftp://budgets")


def test_without_an_address_the_policy_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OUTLAY_BUDGETS_URL", raising=False)
    assert budget_status("b") == BudgetStatus(allowed=True, known=False)
    assert not budget_status("b", fail="closed").allowed
    monkeypatch.setenv("OUTLAY_BUDGETS_FAIL", "closed")
    assert not budget_status("b").allowed
    assert budget_status("b", fail="open").allowed
    monkeypatch.setenv("OUTLAY_BUDGETS_FAIL", "shut")
    with pytest.raises(ValueError, match="OUTLAY_BUDGETS_FAIL"):
        budget_status("b")


def test_without_an_answer_the_policy_is_what_the_budget_said_last() -> None:
    with receiving() as receiver:
        closed = json.dumps({"allowed": True, "known": True, "fail": "closed"}).encode()
        receiver.script = [(200, {}, closed)]
        assert budget_status("b", url=receiver.url).allowed
        url = receiver.url
    assert not budget_status("b", url=url).allowed
    assert budget_status("b", url=url, fail="open").allowed
    assert budget_status("other", url=url).allowed
