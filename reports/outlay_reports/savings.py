"""What a saving comes to in a month: one definition for the console and the command line."""

from datetime import datetime, timedelta

_MONTH = timedelta(days=30)
_LEAST = timedelta(days=3)
"""A shorter time says too little about a month: an hour of a test is not 720 hours of it."""


def monthly_saving(saving: int, since: datetime, until: datetime) -> int | None:
    """Scale a saving in the events from `since` to `until` to 30 days, pico-USD; None below three days."""
    length = until - since
    return (
        None if length < _LEAST else round(saving * (_MONTH / timedelta(seconds=1)) / length.total_seconds())
    )


def saving_basis(since: datetime, until: datetime) -> str:
    """Say what monthly figures are made from."""
    length = until - since
    long = length >= timedelta(days=2)
    text = f"{length / timedelta(days=1):.1f} days" if long else f"{length / timedelta(hours=1):.1f} hours"
    if length < _LEAST:
        return f"observed in {text}; a monthly figure needs at least three days of events"
    return f"a month is what {text} of events show, taken to 30 days"
