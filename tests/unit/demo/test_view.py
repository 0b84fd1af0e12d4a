from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console

from outlay.demo.view import BudgetState, Frame, columns, draw


def _frame(**changes: object) -> Frame:
    whole: dict[str, object] = {
        "title": "Outlay", "playing": datetime(2026, 11, 24, 9, 57, tzinfo=UTC), "events_per_second": 79.4,
        "total": 9541, "sent": 9446, "accepted": 9446, "counted": 9211, "unpriced": 178, "dead_letters": 0,
        "latency": 0.89, "teams": [("growth", Decimal("7.06"))],
        "models": [("gpt-4.1", Decimal(7)), ("tiny", Decimal("0.06"))],
        "minutes": [Decimal(1), Decimal(12)], "budgets": [BudgetState("Growth", Decimal(9), Decimal(8))],
        "alerts": [], "hint": "Ctrl-C stops",
    }  # fmt: skip
    return Frame(**(whole | changes))  # type: ignore[arg-type]


def _drawn(frame: Frame, width: int) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(draw(frame, width))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_frame_fits_its_terminal_and_says_what_matters(width: int) -> None:
    text = _drawn(_frame(), width)
    assert max(map(len, text.splitlines())) <= width
    for said in ("$7.06", "112%", "Growth", "09:57"):
        assert said in text


def test_before_the_first_event_it_says_so() -> None:
    empty = _frame(playing=None, latency=None, teams=[], models=[], minutes=[], budgets=[], unpriced=0)
    text = _drawn(empty, 100)
    for said in ("no spend yet", "nothing yet", "no budget in the catalog", "none so far"):
        assert said in text


def test_columns_are_as_high_as_their_values_and_the_smallest_is_seen() -> None:
    drawn = columns([Decimal(0), Decimal("0.001"), Decimal(8), Decimal(16)], width=10, height=2)
    assert drawn == "   █\n ▁██"
    assert columns([Decimal(n) for n in range(100)], width=5).splitlines()[-1] == "█████"
