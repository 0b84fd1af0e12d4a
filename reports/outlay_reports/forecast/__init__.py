"""What comes next: forecasts of cost and use with intervals that were tested, and what follows from them.

    found = forecast(values, periods=(24, 168), steps=72)    # values: series x time
    bounds = bands(found, values)                            # 80% and 95%

Numpy only; pure. Series of thousands of teams and models are forecast side by side.
"""

from outlay_reports.forecast.engine import Forecast, forecast
from outlay_reports.forecast.intervals import Bands, bands

__all__ = ["Bands", "Forecast", "bands", "forecast"]
