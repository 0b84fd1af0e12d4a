"""Series from files: what they may look like, and the errors for those that cannot be used."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from outlay_reports.errors import QueryError
from outlay_reports.forecast.lines import forecast_lines
from outlay_reports.forecast.series import Frequency, frequency_of, guess_frequency, read_csv


def lines(*rows: str, head: str = "timestamp,value") -> list[str]:
    return [head, *rows]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h", Frequency(timedelta(hours=1))),
        ("H", Frequency(timedelta(hours=1))), ("15min", Frequency(timedelta(minutes=15))),
        ("D", Frequency(timedelta(days=1))), ("W-MON", Frequency(timedelta(weeks=1))), ("MS", Frequency(months=1)),
        ("2h", Frequency(timedelta(hours=2))), ("hours", Frequency(timedelta(hours=1))), ("QS", Frequency(months=3)),
    ],
)  # fmt: skip
def test_frequencies_are_read_as_people_write_them(text: str, expected: Frequency) -> None:
    assert frequency_of(text) == expected


def test_seasons_follow_from_the_frequency() -> None:
    assert frequency_of("h").periods == (24, 168)
    assert frequency_of("15min").periods == (96, 672)
    assert frequency_of("D").periods == (7, 364)
    assert frequency_of("MS").periods == (12,)
    assert frequency_of("W").periods == (52,)


def test_months_follow_months_also_from_their_ends() -> None:
    month = Frequency(months=1)
    assert month.after(datetime(2026, 1, 31), 1) == datetime(2026, 2, 28)  # noqa: DTZ001 (as files have them)
    assert month.after(datetime(2026, 2, 28), 1) == datetime(2026, 3, 31)  # noqa: DTZ001
    assert month.after(datetime(2026, 11, 1), 14) == datetime(2028, 1, 1)  # noqa: DTZ001


def test_times_go_on_as_the_file_writes_them() -> None:
    (naive,) = read_csv(lines("2026-11-24 22:00:00,1", "2026-11-24 23:00:00,2"), None)
    assert naive.future(1) == ["2026-11-25 00:00:00"]
    (aware,) = read_csv(lines("2026-11-24T22:00:00Z,1", "2026-11-24T23:00:00Z,2"), None)
    assert aware.future(1) == ["2026-11-25T00:00:00Z"]
    (monthly,) = read_csv(lines("2026-01-01,1", "2026-02-01,1", "2026-03-01,1"), None)
    assert monthly.future(2) == ["2026-04-01", "2026-05-01"]


def test_days_of_a_place_are_even_over_a_change_of_clocks() -> None:
    (days,) = read_csv(
        lines("2026-10-24T00:00:00+02:00,1", "2026-10-25T00:00:00+02:00,2", "2026-10-26T00:00:00+01:00,3"),
        None,
    )
    assert list(days.values) == [1, 2, 3]


def test_holes_are_filled_from_a_season_before_and_reported() -> None:
    start = datetime(2026, 11, 1)  # noqa: DTZ001 (as files have them)
    rows = [f"{start + timedelta(hours=n)},{n % 24}" for n in range(72) if n != 50]
    rows[60] = rows[60].rpartition(",")[0] + ","
    (found,) = read_csv(lines(*rows), None)
    assert found.missing == 2
    assert list(found.values) == [n % 24 for n in range(72)]


def test_several_series_are_forecast_at_once_and_stay_in_order() -> None:
    rows = [
        f"{name},2026-11-{day:02d},{value}" for day in range(1, 21) for name, value in (("b", 5), ("a", day))
    ]
    found = read_csv(lines(*rows, head="unique_id,ds,y"), None)
    made = list(forecast_lines(found, 3))
    assert [line["series"] for line in made] == ["b"] * 3 + ["a"] * 3
    assert set(made[0]) == {"series", "timestamp", "mean", "lower80", "upper80", "lower95", "upper95"}
    assert made[0]["mean"] == pytest.approx(5, rel=1e-3)
    assert float(made[5]["mean"]) > 19


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "no values"), (["soon,1"], "line 2: 'soon'"), (["2026-11-01,x"], "line 2: 'x'"),
        (["2026-11-01,inf"], "finite"),
        (["2026-11-01,1,2"], "3 cells"), (["2026-11-01,1", "2026-11-01,2"], "twice"), (["2026-11-01,1"], "how far"),
        (["2026-11-01T00:00:00Z,1", "2026-11-01T01:00:00,1"], "offset"),
        (["2026-11-01,1", "2026-11-02,1", "2026-11-03,1", "2026-11-03T05:00:00,1"], "does not fit"),
        (["2026-11-01,", "2026-11-02,"], "no values"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_reported_with_what_to_do(rows: list[str], expected: str) -> None:
    with pytest.raises(QueryError, match=expected) as caught:
        read_csv(lines(*rows), None)
    assert caught.value.hint


def test_a_file_without_the_columns_and_a_strange_frequency_are_reported() -> None:
    with pytest.raises(QueryError, match="no column timestamp"):
        read_csv(["when,value", "2026-11-01,1"], None)
    for wrong in ("fortnight", "0h", ""):
        with pytest.raises(QueryError):
            frequency_of(wrong)
    assert guess_frequency([datetime(2026, 1, 1), datetime(2026, 4, 1)]) == Frequency(months=3)  # noqa: DTZ001


def test_a_byte_order_mark_and_blank_lines_are_no_trouble() -> None:
    (found,) = read_csv(["\ufefftimestamp,value", "2026-11-01,1", "", "2026-11-02,2"], None)
    np.testing.assert_array_equal(found.values, [1, 2])
