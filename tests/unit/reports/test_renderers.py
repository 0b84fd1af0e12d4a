"""The same sheet in each format."""

import csv
import io
import json
from dataclasses import replace
from decimal import Decimal
from xml.etree import ElementTree as ET

from rich.console import Console
from tests.support.ledger_cells import END, cell, question

from outlay.cli.output import print_report
from outlay.reports.plots import draw
from outlay_reports.renderers import html_table, to_csv, to_json, to_markdown
from outlay_reports.showback import UnitEconomics, showback_table
from outlay_reports.svg_chart import ticks, trend_svg
from outlay_reports.trend import trend
from outlay_schemas.catalog import FxRate
from outlay_schemas.currency import Currency

CELLS = [
    cell("bu1", "t1", usd="10.000000000001"),
    cell("bu1", "", usd="2"),
    cell("=cmd()", "t|3", usd="0", unpriced=1),
]
SHEET = showback_table(question("business_unit", "team"), CELLS)


def test_csv_has_only_rows_that_add_up_and_no_formulas() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(SHEET))))
    assert [row["cost_usd"] for row in rows] == ["10.000000000001", "2", "0"]
    assert rows[2]["business_unit"] == "'=cmd()"
    assert rows[1]["team"] == "(unassigned)"


def test_json_says_what_it_is_about_and_keeps_subtotals_apart() -> None:
    found = json.loads(to_json(SHEET))
    assert found["report"] == "showback"
    assert found["total"]["cost_usd"] == "12.000000000001"
    assert len(found["rows"]) == 3
    assert [row["cost_usd"] for row in found["subtotals"]] == ["12.000000000001", "0"]


def test_a_report_in_another_currency_names_it_everywhere() -> None:
    euro = Currency("EUR", [FxRate(currency="EUR", usd=Decimal("1.2"), source="ECB")])
    asked = replace(question("team"), currency=euro)
    sheet = showback_table(asked, CELLS, UnitEconomics([{}, {}], {}))
    assert to_csv(sheet).splitlines()[0].split(",")[:3] == ["team", "cost_eur", "charged_eur"]
    found = json.loads(to_json(sheet))
    assert (found["currency"], found["rates"], found["total"]["cost_eur"]) == (
        "EUR",
        ["ECB"],
        "12.000000000001",
    )
    text = to_markdown(sheet)
    assert "in EUR" in text.splitlines()[0]
    assert "€/event" in text
    assert "€12.00" in text
    assert "- EUR, converted from USD at each day's rate (ECB)" in text
    drawn = trend(replace(asked, unit="day"), CELLS, END)
    page = io.StringIO()
    print_report(sheet, Console(file=page, width=200))
    draw(replace(asked, unit="day"), drawn, Console(file=page, width=100))
    for shown in (
        text,
        page.getvalue(),
        trend_svg("t", replace(asked, unit="day"), drawn),
        str(html_table(sheet)),
    ):
        assert "€" in shown
        assert "$" not in shown
        assert "usd" not in shown.lower().replace("from usd", "")


def test_markdown_is_a_table_that_pipes_do_not_break() -> None:
    lines = to_markdown(SHEET).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in table} == {6}
    assert "**total**" in table[-1]


def test_an_empty_table_is_a_sentence_and_not_a_heading_without_rows() -> None:
    empty = showback_table(question("team"), [])
    for text in (to_markdown(empty), html_table(empty)):
        assert "no spend in this period" in text
        assert "<table>" not in text
        assert "|" not in text


def test_a_narrow_terminal_still_shows_every_name_and_number() -> None:
    page = io.StringIO()
    print_report(SHEET, Console(file=page, width=20))
    text = page.getvalue()
    assert "$12.00" in text
    assert "(unassigned)" in text
    assert "unpriced" in text


def test_a_trend_is_drawn_on_the_terminal_and_as_svg() -> None:
    asked = question("team", unit="day")
    found = trend(asked, [cell(f"t{n % 7}", usd=str(n), bucket=n) for n in range(1, 30)], END)
    page = io.StringIO()
    draw(asked, found, Console(file=page, width=100))
    assert "2026-11-30" in page.getvalue()
    root = ET.fromstring(trend_svg("A <title>", asked, found))  # noqa: S314 (our own page)
    assert len(root.findall(".//{*}rect")) >= 29


def test_scales_are_round_and_reach_over_the_tallest() -> None:
    for tallest in (1, 7, 999, 10**12, 4_999_999_999_999):
        steps = ticks(tallest)
        assert steps[-1] >= tallest
        assert 2 <= len(steps) <= 7


def test_a_line_break_in_a_name_splits_no_row_and_what_is_for_machines_is_not_shown() -> None:
    sheet = showback_table(question("team"), [cell("a\nb\u2028c", usd="1")])
    page = io.StringIO()
    print_report(sheet, Console(file=page, width=80))
    assert "a⏎b⏎c" in page.getvalue()
    assert "| a⏎b⏎c |" in to_markdown(sheet)
    assert json.loads(to_json(sheet))["rows"][0]["team"] == "a\nb\u2028c"
    wide = replace(sheet, columns=tuple(replace(c, wide=c.name == "events") for c in sheet.columns))
    assert "events" not in to_markdown(wide)
    assert json.loads(to_json(wide))["rows"][0]["events"] == 1
