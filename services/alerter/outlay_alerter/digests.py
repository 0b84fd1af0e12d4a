"""Scheduled reviews: the spending of the last day or week, each sent once, in a thread of its own.

A review's message has an id of the review and its time, and waits in the outbox as alerts do: a death before it
was written makes it again, one after that sends it again under the same id, and a second alerter writes the same row.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from outlay_alerter.notify.notification import REVIEW, Point, Review
from outlay_alerter.notify.outbox import Outbox
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.telemetry import get_logger
from outlay_kit.time_ranges import period_of
from outlay_reports import digest
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.adapters.savings import newest_savings
from outlay_reports.cost_query import CostQuery
from outlay_reports.digest import (
    DigestSection,
    DigestSources,
    build_digest,
    last_week,
    period_word,
    yesterday,
)
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog import channels as schema
from outlay_schemas.events import encoder

log = get_logger(__name__)

_LOOK = 15.0
"""Seconds between two looks for a review that is due."""
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class DigestScheduler:
    """Makes reviews when they are due and puts them into the outbox."""

    def __init__(
        self, clickhouse: ClickHouseClient, clock: Clock, catalog: Callable[[], Catalog], *,
        called: Callable[[], None] = lambda: None, console: str = "",
    ) -> None:  # fmt: skip
        """`called()` is called when there is something to send; `console` is the console's URL."""
        self._clickhouse, self._outbox, self._clock = clickhouse, Outbox(clickhouse), clock
        self._catalog, self._called, self._console = catalog, called, console.rstrip("/")
        self._done: set[str] = set()

    def turn(self) -> int:
        """Make what is due; return how many reviews that were. Raises Retryable."""
        catalog, now, made = self._catalog(), self._clock.now(), 0
        for wanted in catalog.reviews:
            due = last_due(wanted, now)
            name = f"{REVIEW}{wanted.id}.{int(due.timestamp())}"
            if name in self._done:
                continue
            if not self._outbox.has(f"{REVIEW}{wanted.id}."):
                # New: its first message is the next one, not one from before it was set up.
                self._post(wanted, name, due, b"{}", state="sent")
            elif not self._outbox.has(name):
                self._make(wanted, name, due, catalog)
                made += 1
            self._done.add(name)
        return made

    def _post(self, wanted: schema.Review, name: str, due: datetime, body: bytes, **outcome: str) -> None:
        tenants = ",".join(wanted.tenants)
        self._outbox.post(name, wanted.channels, tenants, body, due, **outcome)

    def _make(self, wanted: schema.Review, name: str, due: datetime, catalog: Catalog) -> None:
        question = _question(wanted, due)
        sources = DigestSources(CostReader(self._clickhouse), self._clickhouse, catalog.budgets, catalog.fx)
        try:
            savings = newest_savings(self._clickhouse, wanted.tenants, due)
            sections = build_digest(sources, question, due, savings)
        except Retryable:
            raise
        except Exception:
            # Written down first: it is not made again and again, and does not end each successor, too.
            reason = "it could not be made: the alerter's log says why"
            self._post(wanted, name, due, b"{}", state="failed", reason=reason)
            raise
        body = review_of(name, question, sections, now=due, of=wanted.id, console=self._console)
        self._post(wanted, name, due, encoder.encode(body))
        log.info("a review is made", review=wanted.id, due=due.isoformat())
        self._called()

    def run(self, stopped: Callable[[], bool], leads: Callable[[], bool]) -> None:
        """Work until `stopped()`, while `leads()`: of several alerters one makes reviews."""
        while not stopped():
            try:
                if leads():
                    self.turn()
            except Retryable as error:
                log.warning("a review has to wait", error=str(error))
            except Exception:
                log.exception("a review failed; ending this process")
                os._exit(70)  # a thread that ends alone would never be missed
            self._clock.sleep(_LOOK if not stopped() else 0.0)


def review_of(
    name: str,
    question: CostQuery,
    sections: Sequence[DigestSection],
    *,
    now: datetime,
    of: str = "",
    console: str = "",
) -> Review:
    """Return a review as a message."""
    points = [Point(heading, lines) for heading, lines in digest.points(sections)]
    day = question.span.start.astimezone(question.zone)
    by_hand = f" · by hand: outlay review --week {day:%Y-%m-%d}" if period_word(question) == "week" else ""
    whose = ", ".join(question.tenants) or "everybody"
    return Review(
        id=name, review=of, title=digest.title_of(question), headline=sections[0].text,
        points=points, html=str(digest.html(question, sections, now)), link=f"{console}/" if console else "",
        foot=f"{whose} · {question.zone.key}{by_hand}",
    )  # fmt: skip


def _question(wanted: schema.Review, due: datetime) -> CostQuery:
    zone = ZoneInfo(wanted.timezone)
    whole = period_of(due, "week", zone)
    question = CostQuery(whole, zone, (), {}, tuple(wanted.tenants))
    span = yesterday(due, question) if wanted.every == "day" else last_week(due, question)
    return replace(question, span=span)


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
