"""A review of spending, as it waits in the outbox."""

import msgspec
from msgspec import Struct


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
