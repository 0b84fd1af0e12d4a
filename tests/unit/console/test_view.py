"""An address is a view, and a view is an address."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay_console.domain.view import (
    COMPARISONS,
    DIMENSIONS,
    PERIODS,
    RANGES,
    View,
    ViewError,
    read_view,
    view_of,
)
from outlay_kit.time_ranges import TimeRange, period_of
from outlay_reports.report_api import parse_query
from outlay_schemas.dimensions import CONDITIONS

NOW = datetime(2026, 11, 25, 14, 42, tzinfo=UTC)

_VALUES = st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=4, unique=True)
_NAMES = [*sorted(DIMENSIONS), "tags.env", "attributes.region"]
_FILTERS = st.dictionaries(
    st.tuples(st.sampled_from(_NAMES), st.sampled_from(sorted(CONDITIONS))).map("".join), _VALUES, max_size=4
)


@given(
    st.sampled_from(sorted({*RANGES, *PERIODS})),
    st.sampled_from(["UTC", "Europe/Berlin"]),
    st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3, unique=True),
    st.sampled_from(["", *COMPARISONS, "2026-10-31"]),
    _FILTERS,
)
def test_a_view_that_is_sent_is_the_view_that_is_seen(
    name: str, zone: str, by: list[str], compare: str, filters: dict[str, list[str]]
) -> None:
    pairs = [("range", name), ("tz", zone), ("compare", compare), *(("by", one) for one in by)]
    pairs += [(dimension, value) for dimension, values in filters.items() for value in values]
    pairs += [("amount", "charged")] if compare else []
    view = read_view(pairs)
    again = read_view(parse_qsl(view.query()[1:], keep_blank_values=True))
    assert again == view


def test_days_of_ones_own_are_kept_and_can_be_left() -> None:
    view = read_view([("from", "2026-11-01"), ("to", "2026-11-07"), ("team", "growth")])
    assert "from=2026-11-01&to=2026-11-07" in view.query()
    assert "range=7d" in view.query(range="7d")
    assert "from" not in view.query(range="7d")


def test_times_are_kept_to_the_minute_in_any_zone() -> None:
    given = [("from", "2026-11-01T09:30Z"), ("to", "2026-11-01T09:45Z"), ("tz", "Asia/Tokyo")]
    view = read_view(given)
    assert view.span(NOW) == TimeRange(
        datetime(2026, 11, 1, 9, 30, tzinfo=UTC), datetime(2026, 11, 1, 9, 45, tzinfo=UTC)
    )
    assert read_view(parse_qsl(view.query()[1:])) == view
    local = read_view([("from", "2026-11-01T18:30"), ("to", "2026-11-01T18:45"), ("tz", "Asia/Tokyo")])
    assert local == view, "what a form sends is in the zone of the view"


def test_a_filter_is_added_and_taken_away() -> None:
    view = View().only("team", "").only("sku", "gpt-5")
    assert view.filters == {"team": ("",), "sku": ("gpt-5",)}
    assert view.without("team").filters == {"sku": ("gpt-5",)}


BERLIN = ZoneInfo("Europe/Berlin")


def test_a_row_of_several_dimensions_is_a_view_of_its_values() -> None:
    view = View(by="team", then=("tags.env",), filters={"team!": ("growth",)})
    assert view.row("platform\x1f").filters == {
        "team!": ("growth",),
        "team": ("platform",),
        "tags.env": ("",),
    }


@pytest.mark.parametrize(
    ("compare", "start"),
    [
        ("previous", "2026-03-23T11:00+02:00"),
        ("week", "2026-03-23T10:00+01:00"),
        ("month", "2026-02-28T10:00+01:00"),
        ("year", "2025-03-30T10:00+02:00"),
        ("2024-02-29", "2024-02-29T00:00+01:00"),
    ],
)
def test_a_range_is_compared_with_the_same_local_time_before(compare: str, start: str) -> None:
    """Across the change to summer time too: a week before 30 March at ten is the 23rd at ten."""
    own = TimeRange(datetime(2026, 3, 30, 8, tzinfo=UTC), datetime(2026, 4, 6, 7, tzinfo=UTC))
    before = View("custom", own, BERLIN, compare=compare).before(NOW)
    assert (before.start, before.length) == (datetime.fromisoformat(start), own.length)


@pytest.mark.parametrize(
    ("name", "span", "before"),
    [
        ("today", ("03-30T00:00+02:00", "03-31T00:00+02:00"), ("03-29T00:00+01:00", "03-29T11:31+02:00")),
        ("yesterday", ("03-29T00:00+01:00", "03-30T00:00+02:00"), ("03-28T00:00+01:00", "03-29T00:00+01:00")),
        ("month", ("03-01T00:00+01:00", "04-01T00:00+02:00"), ("02-01T00:00+01:00", "03-01T00:00+01:00")),
        (
            "last-month",
            ("02-01T00:00+01:00", "03-01T00:00+01:00"),
            ("01-01T00:00+01:00", "02-01T00:00+01:00"),
        ),
    ],
)
def test_a_period_of_the_calendar_is_compared_with_the_one_before(
    name: str, span: tuple[str, str], before: tuple[str, str]
) -> None:
    """Of one that is not over the same part, at most all of it: February is over before 29 March."""
    view, now = View(range=name, zone=BERLIN), datetime(2026, 3, 30, 8, 30, 7, tzinfo=UTC)
    for found, (start, end) in ((view.span(now), span), (view.before(now), before)):
        assert (found.start, found.end) == (
            *(datetime.fromisoformat(f"2026-{text}") for text in (start, end)),
        )


@pytest.mark.parametrize("now", ["2026-12-01T06:30:01", "2026-11-25T14:42:07", "2026-03-31T21:59:59"])
@pytest.mark.parametrize("zone", [ZoneInfo("UTC"), BERLIN, ZoneInfo("Asia/Kolkata")])
def test_a_month_is_compared_alike_wherever_it_is_shown(now: str, zone: ZoneInfo) -> None:
    """Under its name, as a range of its days, as a budget links to it, and as the command asks without a range."""
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    month = View("month", zone=zone)
    span, before = month.span(at), month.before(at)
    assert before.length < span.length
    linked = view_of(span, zone, at, by="sku", filters={"team": ("growth",)})
    assert linked.query() == f"?range=month&tz={quote(zone.key, safe='')}&by=sku&team=growth"
    command = parse_query(at, tz=zone.key)
    for found in (
        View("custom", span, zone).before(at),
        linked.before(at),
        command.before,
    ):
        assert found == before


def test_a_period_that_is_over_is_a_range_of_its_days_compared_with_the_whole_one_before() -> None:
    over = view_of(
        period_of(datetime(2026, 10, 9, tzinfo=UTC), "month", BERLIN), BERLIN, NOW, by="sku", filters={}
    )
    assert over.query() == "?from=2026-10-01&to=2026-10-31&tz=Europe%2FBerlin&by=sku"
    assert over.before(NOW) == period_of(datetime(2026, 9, 9, tzinfo=UTC), "month", BERLIN)
    earlier = replace(over, compare="month")
    assert earlier.before(NOW) == over.before(NOW)
    assert replace(over, compare="year").before(NOW) == period_of(
        datetime(2025, 10, 9, tzinfo=UTC), "month", BERLIN
    )


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu"])
@pytest.mark.parametrize("name", RANGES)
def test_the_last_hours_or_days_are_the_same_for_a_page_and_a_report(name: str, zone: str) -> None:
    for now in (NOW, NOW + timedelta(seconds=59, microseconds=1), datetime(2026, 11, 25, 15, tzinfo=UTC)):
        view, command = View(name, zone=ZoneInfo(zone)), parse_query(now, tz=zone, start=name)
        assert command.span.start == view.span(now).start
        assert now <= command.span.end <= view.span(now).end
        assert command.before == view.before(now)


@pytest.mark.parametrize("compare", ["", "previous", "week", "month", "year", "2026-10-01"])
@pytest.mark.parametrize("name", [*RANGES, *PERIODS])
def test_what_is_not_over_is_compared_with_as_long_a_time(name: str, compare: str) -> None:
    view = View(name, zone=BERLIN, compare=compare)
    span, before = view.span(NOW), view.before(NOW)
    past = min(span.end, NOW.replace(second=0) + timedelta(minutes=1)) - span.start
    if span.end > NOW:
        assert before.length == past


@pytest.mark.parametrize(
    "pairs",
    [
        [("range", "1y")],
        [("by", "tenant")],
        [("by", "tags.")],
        [("by", name) for name in ("team", "sku", "user", "kind")],
        [("compare", "tomorrow")],
        [("amount", "list")],
        [("tz", "Mars/Olympus")],
        [("tz", "../../etc/passwd")],
        [("from", "2026-11-01")],
        [("from", "2026-11-07"), ("to", "2026-11-01")],
        [("from", "1026-11-07"), ("to", "2026-11-01")],
        [("from", "yesterday"), ("to", "today")],
        [("from", "2026-11-07T09:30Z"), ("to", "2026-11-07T09:30Z")],
        [("team", str(n)) for n in range(51)],
        [("team", "x" * 257)],
    ],
)
def test_what_cannot_be_asked_is_said(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(ViewError):
        read_view(pairs)
