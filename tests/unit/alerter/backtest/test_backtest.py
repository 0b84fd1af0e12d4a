"""When a rule would have fired: the domain's answer, and the command's."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from outlay.cli.alerts import app
from outlay_alerter.backtest.runner import on_series
from outlay_alerter.rules.watch import compile_rule
from outlay_schemas.catalog.watch import Anomaly, SpendSpike

START = datetime(2026, 3, 2, tzinfo=UTC)
VALUES = [10 + (n % 24) / 10 for n in range(24 * 14)]
ANOMALY = compile_rule(Anomaly(id="a", name="A", min_usd=Decimal(0)), "acme")
SPIKE = compile_rule(SpendSpike(id="s", name="S", min_usd=Decimal(0)), "acme")


def rows(
    values: list[float | None], step: timedelta = timedelta(hours=1)
) -> list[tuple[datetime, float | None]]:
    return [(START + step * n, value) for n, value in enumerate(values)]


@pytest.mark.parametrize("rule", [ANOMALY, SPIKE])
def test_a_rule_fires_where_it_would_have(rule: object) -> None:
    points = list(on_series(rule, rows([*VALUES, 90.0, None, 11.0])))  # type: ignore[arg-type]
    assert [n for n, point in enumerate(points) if point.fired] == [len(VALUES)]
    hit = points[len(VALUES)].judged
    assert hit.value == 90
    assert hit.score > 0.5
    assert hit.upper is not None
    assert hit.upper < 90
    assert points[-2].judged.status == "missing"
    assert points[0].judged.status == "insufficient_history"


def test_rows_in_any_order_are_judged_in_the_order_of_time() -> None:
    forward = list(on_series(ANOMALY, rows([*VALUES, 90.0])))
    assert list(on_series(ANOMALY, reversed(rows([*VALUES, 90.0])))) == forward


def test_one_timestamp_is_no_series() -> None:
    with pytest.raises(ValueError, match="two different timestamps"):
        list(on_series(ANOMALY, rows([1.0])))


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


def test_rows_twice_and_out_of_order_are_sorted_and_the_last_of_a_time_counts(tmp_path: Path) -> None:
    text = "timestamp,value\n2026-03-02T01:00,1\n2026-03-02T00:00,5\n2026-03-02T02:00,3\n2026-03-02T01:00,2\n"
    result = CliRunner().invoke(
        app, ["backtest", "--rule", "anomaly", "--series", str(write(tmp_path, text))]
    )
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["timestamp"][11:], line["value"]) for line in lines] == [
        ("00:00", 5.0), ("01:00", 2.0), ("02:00", 3.0),
    ]  # fmt: skip
    assert "2 rows repeat a timestamp or are out of order" in " ".join(result.stderr.split())


@pytest.mark.parametrize("kind", ["price_change", "new_spender", "silence"])
def test_a_kind_that_cannot_be_tried_on_a_series_says_so(tmp_path: Path, kind: str) -> None:
    by = ", group_by: [team]" if kind == "new_spender" else ""
    (tmp_path / "rules.yaml").write_text(f"- {{type: {kind}, id: r, name: R{by}}}\n")
    file = write(tmp_path, "timestamp,value\n2026-03-02,2\n2026-03-03,2\n")
    code, _, output = call("--rule", "r", "--series", str(file), "--catalog", str(tmp_path))
    assert code == 1
    assert "r cannot be tried on a series" in " ".join(output.split())


def test_an_invalid_catalog_is_an_error_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("- {type: threshold, id: r, name: R, metric: cost, above: ten}\n")
    file = write(tmp_path, "timestamp,value\n2026-03-02,2\n2026-03-03,2\n")
    for series in (["--series", str(file)], []):
        code, _, output = call("--rule", "r", "--catalog", str(tmp_path), *series)
        assert code == 1
        assert "rules.yaml:1" in output
