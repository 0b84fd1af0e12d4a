"""Forecasts from the books: what the pure ones of outlay_reports.forecast are given, and how they are shown."""
