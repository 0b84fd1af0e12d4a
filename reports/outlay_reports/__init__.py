"""What was spent, by whom, why, and what comes next: questions to the reader, and their answers.

    reader = CostReader(clickhouse)          # adapters.cost_reader
    question = CostQuery(span, zone, by=("business_unit", "team"))   # what, when, where the day begins
    report = showback(question, reader.cells(question))              # pure: rows in, report out
    sheet = showback_table(report)                                  # what every format and page is made of

Everything but `adapters` is pure. Money is whole pico-USD inside and a decimal string outside.
"""

from outlay_kit.time_ranges import TimeRange
from outlay_reports.cost_query import Cell, CostQuery, Sums
from outlay_reports.errors import QueryError
from outlay_reports.report_table import ReportTable

__all__ = ["Cell", "CostQuery", "QueryError", "ReportTable", "Sums", "TimeRange"]
