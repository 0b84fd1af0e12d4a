"""Where a window is in the seasons of a series: in its day, and in its week."""

from collections.abc import Sequence
from datetime import datetime

from outlay_alerter.detection.tuning import DAY, WEEK, Tuning

_APART = 4
"""Places between the day of the week and the day of the weekend, which are not neighbours."""


class SeasonPlaces:
    """The places of one series' windows: of the day where it has several of them, and of the week."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._day = -(-DAY // max(tuning.step, 300))
        self._of_week = max(min(tuning.step, DAY), 3600)
        """Seconds of one place of the week."""
        self.week = -(-WEEK // self._of_week)
        """Places of a week."""
        self.day = 2 * self._day + _APART
        """Places of a day: those of one within the week, then those of one of the weekend."""

    @property
    def noises(self) -> int:
        """How many places the noise depends on."""
        step = self._tuning.step
        return 1 if step > DAY else self.week if step == DAY else self.day

    def find(self, at: datetime) -> list[Sequence[int]]:
        """Return where a window is in the season of each predictor, the level first: its place, then one like it."""
        tuning = self._tuning
        local, step = at if at.tzinfo is tuning.zone else at.astimezone(tuning.zone), tuning.step
        seconds = local.hour * 3600 + local.minute * 60 + local.second
        weekday = 6 if tuning.holidays and local.date() in tuning.holidays else local.weekday()
        week = (weekday * DAY + seconds) // self._of_week
        if step >= DAY:
            return [(0,)] if step > DAY else [(0,), (week,)]
        day = seconds // max(step, 300)
        weekend = self.day - self._day + day
        return [(0,), (weekend, day) if weekday > 4 else (day, weekend), (week,)]
