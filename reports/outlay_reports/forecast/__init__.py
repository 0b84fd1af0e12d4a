"""Forecasts of cost and use with back-tested intervals, for thousands of series side by side. Pure numpy."""

from outlay_reports.forecast.engine import Forecast, forecast
from outlay_reports.forecast.intervals import Bands, bands

__all__ = ["Bands", "Forecast", "bands", "forecast"]
