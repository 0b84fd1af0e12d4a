"""The ledger against a bill: names, days, currencies, and what only one side has."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.ledger_cells import sums

from outlay.focus.bill_files import read_bill
from outlay_reports.errors import QueryError
from outlay_reports.reconcile import BillLine, canonical, drifting, reconcile, reconcile_table

DAY, NEXT = date(2026, 11, 24), date(2026, 11, 25)
UTC = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("gpt-4o-2024-08-06, input", "gpt-4o"), ("openai/gpt-4.1-mini", "gpt-4.1-mini"),
        ("models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("GPT-4.1", "gpt-4.1"), ("Claude Haiku 4", "claude-haiku-4"), ("p5.48xlarge", "p5.48xlarge"),
    ],
)  # fmt: skip
def test_a_model_is_known_by_its_many_names(name: str, expected: str) -> None:
    assert canonical(name) == expected


def pico(usd: str) -> int:
    return int(Decimal(usd) * 10**12)


def test_both_sides_are_paired_and_other_providers_left_alone() -> None:
    bill = [
        BillLine(DAY, "gpt-4o-2024-08-06", pico("10")), BillLine(DAY, "gpt-4o-2024-08-06", pico("1")),
        BillLine(NEXT, "dall-e", pico("3")),
    ]  # fmt: skip
    ours = [
        (DAY, "openai", "gpt-4o", sums("10.5", unpriced=2)), (NEXT, "openai", "o3", sums("2")),
        (DAY, "aws", "p5.48xlarge", sums("900")),
    ]  # fmt: skip
    found = {model.model: model for model in reconcile(bill, ours)}
    assert set(found) == {"gpt-4o", "dall-e", "o3"}
    assert found["gpt-4o"].drift == Fraction(5, 110)
    assert found["dall-e"].note == "not in the ledger"
    assert found["o3"].note == "not on the bill"
    assert {model.model for model in drifting(found.values(), Fraction(1, 10))} == {"dall-e", "o3"}
    sheet = reconcile_table(list(found.values()), Fraction(1, 10), "bill", every=True)
    assert any("2 events of the ledger are unpriced" in note for note in sheet.notes)
    assert "$3.00 of the bill is for what the ledger does not have: dall-e" in sheet.notes
    assert "$2.00 of the ledger is for what is not on the bill: o3" in sheet.notes
    assert len(sheet.rows) == 6


def test_equal_sides_do_not_drift() -> None:
    found = reconcile([BillLine(DAY, "m", pico("10.04"))], [(DAY, "p", "m", sums("10"))])
    assert drifting(found, Fraction(1, 100)) == []
    assert len(reconcile_table(found, Fraction(1, 100), "bill", every=False).rows) == 1


def test_a_bill_of_nothing_beside_what_has_no_price_is_on_the_bill(tmp_path: Path) -> None:
    path = bill(tmp_path, "day,model,cost\n2026-11-24,m,0\n2026-11-24,,0\n2026-11-24,n,2\n")
    lines, rows = read_bill(path, UTC, {}, {})
    assert (len(lines), rows) == (2, 3)
    found = {one.model: one for one in reconcile(lines, [(DAY, "p", "m", sums("0", unpriced=3))])}
    assert (found["m"].note, found["m"].billed, found["n"].note) == ("", 0, "not in the ledger")
    assert drifting([found["m"]], Fraction(1, 100)) == []


def bill(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "bill.csv"
    path.write_text(text, "utf-8")
    return path


def test_a_providers_csv_is_read_exactly_and_in_the_zone_of_the_bill(tmp_path: Path) -> None:
    path = bill(
        tmp_path,
        "start_time,line_item,amount_value\n2026-11-24T23:30:00Z,gpt-4o,0.0000000000014\n1764028800,gpt-4o,$2\n",
    )
    lines, count = read_bill(path, ZoneInfo("Europe/Berlin"), {}, {})
    assert count == 2
    assert lines == [BillLine(NEXT, "gpt-4o", 1), BillLine(date(2025, 11, 25), "gpt-4o", pico("2"))]


def test_another_currency_needs_a_rate(tmp_path: Path) -> None:
    path = bill(tmp_path, "day,model,cost,currency\n2026-11-24,m,10,EUR\n")
    with pytest.raises(QueryError, match="EUR"):
        read_bill(path, UTC, {}, {})
    assert read_bill(path, UTC, {"EUR": Decimal("1.1")}, {})[0] == [BillLine(DAY, "m", pico("11"))]


def test_focus_in_parquet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "focus.parquet"
    pq.write_table(
        pa.table(
            {
                "BilledCost": pa.array([Decimal("1.5"), Decimal(0)], pa.decimal128(38, 12)),
                "BillingCurrency": ["USD", "USD"],
                "ChargePeriodStart": pa.array([1764028800, 1764028800], pa.timestamp("s", tz="UTC")),
                "SkuId": ["gpt-4o", "free"],
                "Other": [[1], [2]],
            }
        ),
        path,
    )
    at = date(2025, 11, 25)
    assert read_bill(path, UTC, {}, {}) == ([BillLine(at, "gpt-4o", pico("1.5")), BillLine(at, "free", 0)], 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("day,model,cost\n", "no rows"), ("day,model,cost\n2026-11-24,m,x\n", "line 2: 'x'"),
        ("day,model,cost\nsoon,m,1\n", "'soon'"),
        ("when,model,cost\n2026-11-24,m,1\n", "its day"), ("day,model,cost\n2026-11-24,m\n", "cells"),
        ("day,model,cost\n2026-11-24,m,NaN\n", "NaN"),
    ],
)  # fmt: skip
def test_a_bill_that_cannot_be_read_is_reported(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(QueryError, match=expected):
        read_bill(bill(tmp_path, text), UTC, {}, {})


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = bill(tmp_path, "tag,what,how much\n2026-11-24,m,1\n")
    lines, _ = read_bill(path, UTC, {}, {"day": "tag", "model": "what", "cost": "how much"})
    assert lines == [BillLine(DAY, "m", pico("1"))]
    with pytest.raises(QueryError, match="no column nothing"):
        read_bill(path, UTC, {}, {"day": "nothing"})
