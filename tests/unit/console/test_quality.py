"""How the data quality page names a clock skew."""

import pytest

from outlay_console.pages.quality import after


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.25, "0.25 s after"),
        (59, "59 s after"),
        (90, "1.5 min after"),
        (-1200, "20 min before: its clock is ahead"),
        (-20 * 3600, "20 h before: its clock is ahead"),
        (3 * 86_400, "3 d after"),
    ],
)
def test_a_skew_says_how_far_and_in_which_direction(seconds: float, shown: str) -> None:
    assert after(seconds) == shown
