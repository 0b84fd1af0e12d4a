from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console

from outlay.demo.view import BudgetState, Frame, columns, draw
from outlay_schemas.alerts import Alert
from outlay_schemas.money import Usd

AT = datetime(2026, 11, 24, 9, 57, tzinfo=UTC)


def _frame(**changes: object) -> Frame:
    whole: dict[str, object] = {
        "playing": AT, "events_per_second": 79.4,
        "total": 9541, "sent": 9446, "counted": 9211, "unpriced": 178, "dead_letters": 0,
        "latency": 0.89, "teams": [("growth", Decimal("7.06"))],
        "models": [("gpt-4.1", Decimal(7)), ("tiny", Decimal("0.06"))],
        "minutes": [Decimal(1), Decimal(12)], "budgets": [BudgetState("Growth", Decimal(9), Decimal(8))],
        "alerts": [], "hint": "Ctrl-C stops",
    }  # fmt: skip
    return Frame(**(whole | changes))  # type: ignore[arg-type]


def _drawn(frame: Frame, width: int, height: int | None = None) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(draw(frame, width, height))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def _alert(number: int) -> Alert:
    return Alert(
        id=str(number), tenant="demo", rule="r", rule_type="spend_spike", scope={}, window=AT, level="spike",
        severity="warning", state="firing", title=f"alert {number}, of a title that is longer than " + "w" * 60,
        summary="", expected=None, actual=Usd("1"), contributors=[], at=AT, query="",
    )  # fmt: skip


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_frame_fits_its_terminal_and_says_what_matters(width: int) -> None:
    text = _drawn(_frame(), width)
    assert max(map(len, text.splitlines())) <= width
    for said in ("$7.06", "112%", "Growth", "09:57"):
        assert said in text


@pytest.mark.parametrize("alerts", [0, 1, 9])
@pytest.mark.parametrize("height", [24, 30, 60])
def test_the_screen_of_a_small_terminal_holds_the_budgets_and_the_alerts(height: int, alerts: int) -> None:
    many = [(f"team-{n}", Decimal(9 - n)) for n in range(7)]
    three = [BudgetState(f"budget {n}", Decimal(n), Decimal(8)) for n in range(3)]
    text = _drawn(
        _frame(teams=many, models=many, budgets=three, alerts=[_alert(n) for n in range(alerts)]), 80, height
    )
    assert len(text.splitlines()) < height
    for said in ("team-0", "budget 2", f"alert {alerts - 1}" if alerts else "none so far", "Ctrl-C stops"):
        assert said in text
    assert ("alerts: " in text) == (alerts == 9 and height < 72)


def test_before_the_first_event_it_says_so() -> None:
    empty = _frame(playing=None, latency=None, teams=[], models=[], minutes=[], budgets=[], unpriced=0)
    text = _drawn(empty, 100)
    for said in ("no spend yet", "nothing yet", "no budget in the catalog", "none so far"):
        assert said in text


def test_columns_are_as_high_as_their_values_and_the_smallest_is_seen() -> None:
    drawn = columns([Decimal(0), Decimal("0.001"), Decimal(8), Decimal(16)], width=10, height=2)
    assert drawn == "   █\n ▁██"
    assert columns([Decimal(n) for n in range(100)], width=5).splitlines()[-1] == "█████"
