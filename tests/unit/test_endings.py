"""What a test starts ends with it; what it shares with other tests does not."""

from tests.support.endings import ending, started


def test_only_what_was_started_meanwhile_is_killed_the_newest_first() -> None:
    killed: list[str] = []
    with ending():
        started(lambda: killed.append("shared"))
        with ending():
            started(lambda: killed.append("store"))
            started(lambda: killed.append("service"))
        assert killed == ["service", "store"]
    assert killed == ["service", "store", "shared"]
