"""Pictures of what an alert is about, from the rollups."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.notify.chart import Spending, draw
from outlay_alerter.notify.notification import Notification, OutboxMessage
from outlay_alerter.rules.watch import matches
from outlay_kit.errors import Retryable
from outlay_kit.time_ranges import floor_to, grain_length
from outlay_reports.alert_text import main_of
from outlay_schemas.alerts import Alert, alert_decoder
from outlay_schemas.dimensions import scope_text
from outlay_schemas.events import Grain
from outlay_schemas.money import to_pico

Picture = Callable[[Notification], bytes | None]
_WINDOWS = 60
_AFTER = 20
"""Windows after the first one that an alert is about."""
_PERIODS = ("budget", "threshold")
"""Rules whose `expected` is not that of a window like those that are drawn."""


def pictures(rollups: RollupReader) -> Picture:
    """Return what draws the spending of a notification's alert; None without money, or without the store.

    What is drawn is of the alert as it was decided; what is written above it is as the channel may see it.
    """

    def picture(notification: Notification) -> bytes | None:
        shown = main_of(notification.alerts)
        if (notification.incident is None and len(notification.alerts) > 1) or shown.unit != "USD":
            return None
        alert = next(a for a in map(_read, notification.messages) if a.id == shown.id)
        grain = _grain(alert)
        newest = floor_to(alert.at, grain)
        if alert.rule_type not in _PERIODS:
            newest = min(newest, floor_to(alert.window, grain) + grain_length(grain) * _AFTER)
        scope = alert.scope_values
        costs = [0] * _WINDOWS
        try:
            for place, cell, cost in rollups.series(alert.tenant, grain, newest, _WINDOWS, sorted(scope)):
                if matches(scope, cell):
                    costs[place] += cost
        except Retryable:
            return None
        if not any(costs):
            return None
        expected = None
        if alert.expected is not None and alert.rule_type not in _PERIODS:
            expected = to_pico(Decimal(alert.expected))
        title = f"USD by {grain}: {scope_text(shown.scope_values)}"
        step = grain_length(grain)
        since = None if alert.rule_type in _PERIODS else alert.window
        return draw(Spending(title, newest - step * (_WINDOWS - 1), step, costs, since, expected))

    return picture


def _read(message: OutboxMessage) -> Alert:
    return alert_decoder.decode(message.body)


def _grain(alert: Alert) -> Grain:
    """Return the grain of the windows that were judged, else one in which what happened fills a part of the picture."""
    if alert.rule_type == "budget_burn":
        return "minute"
    if alert.rule_type not in _PERIODS and alert.window_end is not None:
        length = alert.window_end - alert.window
        return "minute" if length < timedelta(hours=1) else "hour" if length < timedelta(days=1) else "day"
    age = alert.at - alert.window
    return "minute" if age < timedelta(minutes=45) else "hour" if age < timedelta(hours=45) else "day"
