"""When a rule would have fired: the domain's answer, and the command's."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from outlay.cli.alerts import app
from outlay_alerter.adapters.watchlist import anomaly_of, spike_of
from outlay_alerter.domain.backtest import backtest
from outlay_schemas.catalog.watch import Anomaly, SpendSpike

START = datetime(2026, 3, 2, tzinfo=UTC)
VALUES = [10 + (n % 24) / 10 for n in range(24 * 14)]
ANOMALY = anomaly_of(Anomaly(id="a", name="A", min_usd=Decimal(0)), "acme")
SPIKE = spike_of(SpendSpike(id="s", name="S", min_usd=Decimal(0)), "acme")


def rows(
    values: list[float | None], step: timedelta = timedelta(hours=1)
) -> list[tuple[datetime, float | None]]:
    return [(START + step * n, value) for n, value in enumerate(values)]


@pytest.mark.parametrize("rule", [ANOMALY, SPIKE])
def test_a_rule_fires_where_it_would_have(rule: object) -> None:
    points = list(backtest(rows([*VALUES, 90.0, None, 11.0]), rule))  # type: ignore[arg-type]
    assert [n for n, point in enumerate(points) if point.fired] == [len(VALUES)]
    hit = points[len(VALUES)]
    assert hit.value == 90
    assert hit.score > 0.5
    assert hit.upper is not None
    assert hit.upper < 90
    assert points[-2].status == "missing"
    assert points[0].status == "insufficient_history"


def test_rows_in_any_order_are_judged_in_the_order_of_time() -> None:
    forward = list(backtest(rows([*VALUES, 90.0]), ANOMALY))
    assert list(backtest(reversed(rows([*VALUES, 90.0])), ANOMALY)) == forward


def test_one_timestamp_is_no_series() -> None:
    with pytest.raises(ValueError, match="two different timestamps"):
        list(backtest(rows([1.0]), ANOMALY))


def write(folder: Path, text: str) -> Path:
    file = folder / "series.csv"
    file.write_text(text)
    return file


def call(*arguments: str) -> tuple[int, list[dict[str, object]], str]:
    result = CliRunner().invoke(app, ["backtest", *arguments])
    lines = [json.loads(line) for line in result.stdout.splitlines()] if result.exit_code == 0 else []
    return result.exit_code, lines, result.output


@pytest.mark.parametrize("rule", ["anomaly", "spend_spike", "spend-anomaly", "spend-spike"])
def test_the_command_writes_a_line_for_each_row(tmp_path: Path, rule: str) -> None:
    values = [*VALUES, 90.0]
    text = "timestamp,value\n" + "".join(
        f"{START + timedelta(hours=n):%Y-%m-%d %H:%M:%S},{v}\n" for n, v in enumerate(values)
    )
    code, lines, _ = call("--rule", rule, "--series", str(write(tmp_path, text)))
    assert code == 0
    assert len(lines) == len(values)
    assert set(lines[0]) == {"timestamp", "value", "expected", "lower", "upper", "score", "fired", "status"}
    assert lines[1]["timestamp"] == "2026-03-02 01:00:00"
    assert lines[-1]["fired"] is True


@pytest.mark.parametrize(
    "stamp", ["2026-03-02T{h:02d}:00:00Z", "2026-03-02T{h:02d}:00:00+02:00", "{s}", "{ms}"]
)
def test_timestamps_are_read_as_they_come(tmp_path: Path, stamp: str) -> None:
    text = "Value, Timestamp\n"
    for h in range(4):
        seconds = int(START.timestamp()) + 3600 * h
        text += f"{'' if h == 2 else h}," + stamp.format(h=h, s=seconds, ms=seconds * 1000) + "\n"
    code, lines, output = call("--rule", "anomaly", "--series", str(write(tmp_path, text)))
    assert code == 0, output
    assert [line["value"] for line in lines] == [0.0, 1.0, None, 3.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,value\n1,2\n", "no columns timestamp and value"),
        ("timestamp,value\nyesterday,2\n", "line 2"),
        ("timestamp,value\n2026-03-02,two\n", "line 2"),
        ("timestamp,value\n2026-03-02,2\n", "two different timestamps"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    code, _, output = call("--rule", "anomaly", "--series", str(write(tmp_path, text)))
    assert code == 1
    assert said in " ".join(output.split())


def test_a_rule_that_does_not_exist_is_said_with_those_that_do(tmp_path: Path) -> None:
    code, _, output = call("--rule", "nope", "--series", str(write(tmp_path, "timestamp,value\n")))
    assert code == 1
    assert "spend-anomaly" in output
