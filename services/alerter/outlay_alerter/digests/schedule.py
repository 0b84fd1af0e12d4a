"""When a review is due, as the clock on its wall goes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from outlay_schemas.catalog.channels import Review

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def last_due(review: Review, now: datetime) -> datetime:
    """Return when a review was due last, UTC: today or up to a week ago.

    A time that the clock leaves out is due when the clock has jumped over it; one that comes twice is due at the first.
    """
    zone = ZoneInfo(review.timezone)
    hour, minute = map(int, review.at.split(":"))
    local = now.astimezone(zone)
    found = local.replace(hour=hour, minute=minute, second=0, microsecond=0, fold=0)
    if review.every == "week":
        found -= timedelta(days=(found.weekday() - _DAYS.index(review.day)) % 7)
    step = timedelta(days=7 if review.every == "week" else 1)
    while found.astimezone(UTC) > now:
        found -= step
    return found.astimezone(UTC)
