"""When reviews are due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay_alerter.digests import last_due
from outlay_schemas.catalog.channels import Review


@pytest.mark.parametrize(
    ("every", "at", "now", "due"),
    [
        ("week", "09:00", "2026-11-23T07:59:59+00:00", "2026-11-16T08:00:00+00:00"),
        ("week", "09:00", "2026-11-23T08:00:00+00:00", "2026-11-23T08:00:00+00:00"),
        ("day", "09:00", "2026-10-25T07:59:00+00:00", "2026-10-24T07:00:00+00:00"),
        ("day", "09:00", "2026-10-25T08:00:00+00:00", "2026-10-25T08:00:00+00:00"),
        ("day", "02:30", "2026-10-25T00:30:00+00:00", "2026-10-25T00:30:00+00:00"),
        ("day", "02:30", "2026-10-25T01:30:00+00:00", "2026-10-25T00:30:00+00:00"),
        ("day", "02:30", "2026-03-29T12:00:00+00:00", "2026-03-29T01:30:00+00:00"),
    ],
)
def test_a_review_is_due_by_the_clock_on_the_wall(every: str, at: str, now: str, due: str) -> None:
    review = Review.model_validate(
        {"id": "r", "every": every, "at": at, "timezone": "Europe/Berlin", "channels": ["x"]}
    )
    assert last_due(review, datetime.fromisoformat(now)) == datetime.fromisoformat(due)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)), st.integers(0, 1439))  # noqa: DTZ001
def test_it_was_due_within_the_last_period_and_stays_so_until_the_next(at: datetime, minute: int) -> None:
    now = at.replace(tzinfo=UTC)
    review = Review.model_validate(
        {"id": "r", "every": "day", "at": minute, "timezone": "America/New_York", "channels": ["x"]}
    )
    due = last_due(review, now)
    assert due <= now < due + timedelta(hours=25, minutes=1)
    assert last_due(review, due) == due
