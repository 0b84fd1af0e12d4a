"""What the cost of an alert is compared with: the time that made it an alert, not whatever came just before."""

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from outlay_alerter.alerts.states import Finding
from outlay_alerter.rules.spend_spike import HISTORY
from outlay_alerter.rules.watch import Budget
from outlay_kit.time_ranges import TimeRange, grain_length
from outlay_reports.budgets import previous_period
from outlay_schemas.events import Grain

_REACH: dict[Grain, str] = {"minute": "2 hours", "hour": "7 days", "day": "8 weeks"}
"""How long `HISTORY` windows are."""
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Baseline:
    """An earlier time. `scale` times its cost compares with the cost of the alert's window."""

    span: TimeRange
    scale: Fraction
    text: str
    """What it is called: `the average minute of the 2 hours before`."""


def baseline_of(finding: Finding, so_far: TimeRange) -> Baseline | None:
    """Return what the cost of `so_far`, the part of a finding's span that is over, compares with; None: nothing."""
    rule_type, watch, window = finding.rule_type, finding.watch, finding.span
    if rule_type in ("budget", "budget_forecast") and isinstance(watch, Budget):
        if watch.rolling is not None:
            return Baseline(so_far.before, Fraction(1), f"the {watch.rolling.days} days before")
        earlier = previous_period(watch, window)
        end = min(earlier.end, earlier.start + so_far.length)
        return Baseline(
            TimeRange(earlier.start, end), Fraction(1), f"the same part of the {watch.period} before"
        )
    if rule_type == "budget_burn":
        hours = Fraction(int(so_far.length.total_seconds()), 3600)
        text = "the hour before" if hours == 1 else f"the {float(hours):g} hours before"
        return Baseline(so_far.before, Fraction(1), text)
    grain = next((name for name in _REACH if grain_length(name) == window.length), None)
    if grain is None or rule_type not in ("spend_spike", "anomaly", "threshold"):
        return None
    if rule_type == "anomaly" and grain != "day":
        windows, reach = _WEEK // window.length, "7 days"  # each time of the day, and of the week
    else:
        windows, reach = HISTORY[grain], _REACH[grain]
    earlier = TimeRange(window.start - window.length * windows, window.start)
    return Baseline(earlier, Fraction(1, windows), f"the average {grain} of the {reach} before")
