"""A review as people read it where no table can be shown."""

from fractions import Fraction

from outlay_reports.digest import DigestSection, points
from outlay_reports.report_table import Column, ReportTable, Row, Spent


def test_each_figure_of_a_line_has_its_name_for_no_heading_stands_above_it() -> None:
    columns = (
        Column("budget", "budget"), Column("spent_usd", "spent", "usd"), Column("used", "used", "share"),
        Column("forecast_usd", "forecast", "usd"), Column("id", "id"),
    )  # fmt: skip
    rows = tuple(
        Row((name, Spent(12 * 10**12), Fraction(1, 2), None if name == "Idle" else Spent(24 * 10**12), "x"))
        for name in ("Growth", "Idle")
    )
    sections = [
        DigestSection("Total", "The week cost $12.00."),
        DigestSection("Budgets", "", ReportTable("b", "B", columns, rows)),
    ]
    assert points(sections) == [
        ("Budgets", ["Growth: spent $12.00 · used 50% · forecast $24.00", "Idle: spent $12.00 · used 50%"])
    ]
