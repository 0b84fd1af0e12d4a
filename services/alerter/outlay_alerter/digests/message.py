"""A review of spending: when it is due, and how it waits in the outbox."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from outlay_schemas.catalog import channels as schema


class Point(Struct, frozen=True):
    """A heading and its lines."""

    heading: str
    lines: list[str]


class Review(Struct, frozen=True, tag="review"):
    """The spending of a day or a week as a message."""

    id: str
    """Of the review and its period: one message each."""
    review: str
    """Id of the review in the catalog."""
    title: str
    headline: str
    points: list[Point]
    html: str = ""
    """The whole page."""
    link: str = ""
    foot: str = ""


decoder = msgspec.json.Decoder(Review)


_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def last_due(review: schema.Review, now: datetime) -> datetime:
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
