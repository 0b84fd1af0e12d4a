"""While a dependency is unavailable a service writes one line per 10 seconds, with the number of the others."""

import logging

from outlay_kit.telemetry import UnavailableLimit


def record(
    message: object, at: float, name: str = "outlay_kit.loop", level: int = logging.WARNING
) -> logging.LogRecord:
    found = logging.LogRecord(name, level, "", 0, message, (), None)
    found.created = at
    return found


def ours(at: float, event: str = "dependency unavailable, retrying") -> logging.LogRecord:
    return record({"event": event}, at)


def test_lines_about_dependencies_are_limited_and_counted_whoever_writes_them() -> None:
    limit = UnavailableLimit()
    assert limit.filter(ours(100.0))
    dropped = [ours(101.0), record("no broker", 102.0, "kafka.conn"), record("retry", 109.9, "urllib3.pool")]
    assert not any(map(limit.filter, dropped))
    assert limit.filter(line := ours(110.0))
    assert line.msg == {"event": "dependency unavailable, retrying", "suppressed": 3}
    assert not limit.filter(ours(119.0))
    assert limit.filter(line := record("no broker", 121.0, "kafka.conn"))
    assert line.getMessage() == "no broker (suppressed=1)"
    assert limit.filter(line := ours(140.0))
    assert line.msg == {"event": "dependency unavailable, retrying"}


def test_other_lines_are_never_dropped() -> None:
    limit = UnavailableLimit()
    assert limit.filter(ours(100.0))
    others = [
        ours(100.1, "dead letters"),
        record("100%", 100.2, "uvicorn.error", logging.ERROR),
        record("joined", 100.3, "kafka.coordinator", logging.INFO),
        record("kafkaesque", 100.4, "kafkaesque"),
    ]
    assert all(map(limit.filter, others))
