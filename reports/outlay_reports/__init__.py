"""Cost reports, forecasts and budget status: `CostReader` reads cells, pure functions make tables of them."""

from outlay_kit.time_ranges import TimeRange
from outlay_reports.cost_query import Cell, CostQuery, Sums
from outlay_reports.errors import QueryError
from outlay_reports.report_table import ReportTable

__all__ = ["Cell", "CostQuery", "QueryError", "ReportTable", "Sums", "TimeRange"]
