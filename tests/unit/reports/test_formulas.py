"""No cell of a CSV that people open in a spreadsheet is a formula."""

import csv
import io
from datetime import UTC, datetime
from typing import get_args

import pyarrow as pa
import pytest

from outlay.focus.columns import Version
from outlay.focus.write import Wanted, write_csv
from outlay_kit.time_ranges import TimeRange
from outlay_reports.renderers import to_csv
from outlay_reports.report_table import Column, ReportTable, Row
from outlay_schemas.currency import USD, Currency

FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1+1", "\r=1+1", "\n=1+1", "=HYPERLINK(\"http://evil\")",
    "=cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "\uff1d1+1", "\uff0b1", "\uff0d1+1", "\uff20SUM(1)",
]  # fmt: skip


def cells(text: str) -> list[str]:
    return list(csv.reader(io.StringIO(text, newline="")))[1]


@pytest.mark.parametrize("name", FORMULAS)
def test_a_name_in_a_report_is_no_formula(name: str) -> None:
    columns = (Column("team", "Team"), Column("events", "Events", "count"))
    table = ReportTable("showback", "Showback", columns, (Row((name, 5)),))
    assert cells(to_csv(table)) == ["'" + name.replace("\r", "\n"), "5"]


def test_no_name_begins_a_row_of_its_own() -> None:
    table = ReportTable("top", "Top", (Column("team", "Team"),), (Row(("a\r=1+1",)), Row(("b\r\n=1+1",))))
    assert "\r" not in to_csv(table)
    assert cells(to_csv(table)) == ["a\n=1+1"]


@pytest.mark.parametrize("currency", [USD, Currency("EUR")])
@pytest.mark.parametrize("version", get_args(Version))
@pytest.mark.parametrize("name", FORMULAS)
def test_no_text_of_a_focus_file_is_a_formula(version: Version, name: str, currency: Currency) -> None:
    span = TimeRange(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    wanted = Wanted(span, version, currency=currency)
    found = wanted.columns
    texts = {one.name for one in found if one.kind == "text"}
    row = {one.name: [name if one.name in texts else "-1.5"] for one in found}
    file = io.BytesIO()
    write_csv(iter([pa.table(row)]), file, wanted)
    written = dict(zip(row, cells(file.getvalue().decode()), strict=True))
    assert {written[one] for one in texts} == {f"'{name}"}
    assert {written[one] for one in row if one not in texts} == {"-1.5"}
