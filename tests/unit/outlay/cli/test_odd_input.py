"""Odd input to the commands: files, odd keys, odd folders, names that steer a terminal."""

import gzip
import io
import json
import threading
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.receiver import receiving
from typer.testing import CliRunner

from outlay.cli.alerts import app as alerts
from outlay.cli.events import events_of, lines_of
from outlay.cli.output import CommandError, SafeConsole, print_report
from outlay.client import IngestClient, SendError, Sent, batches
from outlay.embedded.errors import DiskError
from outlay.embedded.progress import Silent
from outlay.local.control import start
from outlay.local.doctor import checks
from outlay.main import app
from outlay.table_files import rows_of
from outlay_kit.clock import FakeClock, SystemClock
from outlay_reports.report_table import Column, ReportTable, Row

EVENTS = [{"id": "1", "usage": {"gb": 0.1}}, {"id": "2", "note": "two\nlines"}]
NDJSON = [json.dumps(event).encode() for event in EVENTS]


@pytest.mark.parametrize(
    "text",
    [
        b"\n".join(NDJSON),
        b"\xef\xbb\xbf" + b"\r\n".join(NDJSON) + b"\r\n",
        b"\n\n" + b"\n".join(NDJSON) + b"\n",
        json.dumps(EVENTS).encode(),
        b"\xef\xbb\xbf" + json.dumps(EVENTS, indent=2).encode(),
    ],
    ids=["ndjson", "bom and crlf", "blank lines", "array", "indented array"],
)
def test_events_are_read_from_whatever_exports_and_editors_write(text: bytes, tmp_path: Path) -> None:
    file = tmp_path / "usage.json"
    file.write_bytes(text)
    (found,) = batches(events_of(lines_of(str(file))))
    assert [json.loads(line) for line in found] == EVENTS


def test_one_indented_event_is_one_event() -> None:
    lines = json.dumps(EVENTS[1], indent=2).encode().splitlines(keepends=True)
    assert [json.loads(line) for line in events_of(lines)] == [EVENTS[1]]


def test_an_empty_file_holds_no_event_and_half_an_array_is_refused() -> None:
    assert list(batches(events_of([]))) == []
    with pytest.raises(CommandError, match="one valid JSON document"):
        list(events_of([b'[{"id": "1"},\n']))


def test_an_interruption_gives_what_was_read_before_it_ends() -> None:
    def typed() -> Iterator[bytes]:
        yield from NDJSON
        raise KeyboardInterrupt

    found = batches(events_of(typed()))
    assert next(found) == NDJSON
    with pytest.raises(KeyboardInterrupt):
        next(found)


@pytest.mark.parametrize("packed", [False, True])
def test_a_table_whose_file_was_closed_meanwhile_is_given_up_without_an_error(
    tmp_path: Path, packed: bool
) -> None:
    file = tmp_path / "table.csv"
    text = b"id,gb\n1,2\n3,4\n"
    file.write_bytes(gzip.compress(text) if packed else text)
    with file.open("rb") as opened:
        rows = rows_of(file, opened)
        assert next(rows) == {"id": "1", "gb": "2"}
    assert isinstance(rows, Generator)
    rows.close()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"code": "bus_away", "detail": "Kafka did not take the record"}', "Kafka did not take the record"),
        (b"upstream is away", "upstream is away"),
    ],
)
@pytest.mark.parametrize(
    ("status", "message"), [(503, r"is unavailable \(503: {}\)"), (404, "answered 404: {}")]
)
def test_an_error_of_ingest_is_reported_in_its_words(
    body: bytes, said: str, status: int, message: str
) -> None:
    clock = FakeClock(datetime(2026, 11, 30, tzinfo=UTC))
    with receiving() as ingest, IngestClient(ingest.url, "k", clock, patience=0) as client:
        ingest.script = [(status, {}, body)]
        with pytest.raises(SendError, match=message.format(said)):
            client.send(NDJSON, Sent())


def test_a_key_of_other_characters_is_refused() -> None:
    with pytest.raises(SendError, match="API key"):
        IngestClient("http://127.0.0.1:1", "out_live_ä", SystemClock())


def test_an_empty_key_is_not_the_local_one(tmp_path: Path) -> None:
    file = tmp_path / "usage.ndjson"
    file.write_bytes(NDJSON[0])
    for key in ("", " "):
        answer = CliRunner().invoke(app, ["emit", str(file), "--api-key", key])
        assert answer.exit_code == 1
        assert "is empty" in answer.output


def test_a_slow_producer_s_events_do_not_wait_for_a_whole_batch() -> None:
    go_on = threading.Event()

    def slow() -> Iterator[bytes]:
        yield NDJSON[0]
        assert go_on.wait(30), "the first event was held back"
        yield NDJSON[1]

    found = batches(slow(), wait=0.05)
    assert next(found) == [NDJSON[0]]
    go_on.set()
    assert list(found) == [[NDJSON[1]]]


def test_what_a_reader_raises_is_raised_after_what_was_read() -> None:
    def broken() -> Iterator[bytes]:
        yield NDJSON[0]
        raise CommandError("no more")

    found = batches(broken(), wait=30)
    assert next(found) == [NDJSON[0]]
    with pytest.raises(CommandError, match="no more"):
        next(found)


def test_a_home_that_is_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "home"
    file.touch()
    monkeypatch.setenv("OUTLAY_HOME", str(file))
    with pytest.raises(DiskError, match="cannot be a folder"):
        start(Silent(), fixed=False)
    folder = next(check for check in checks() if check.name == "data folder")
    assert (folder.state, folder.found) == ("error", f"{file} is not a folder")


def test_names_do_not_steer_the_terminal() -> None:
    written = io.StringIO()
    console = SafeConsole(file=written, force_terminal=True, width=80)
    console.print("[bold]name[/] \x1b[2J\x9b31m\u202eexe.gpj", markup=True)
    text = written.getvalue()
    assert "\x1b[1m" in text, "styles of ours stay"
    assert "\x1b[2J" not in text
    assert "\x9b" not in text
    assert "\u202e" not in text


def test_names_in_reports_do_not_steer_the_terminal() -> None:
    written = io.StringIO()
    sheet = ReportTable("top", "Top", (Column("team", "team"),), (Row(("a\x1b[2J",)),), empty="")
    print_report(sheet, SafeConsole(file=written, width=80))
    assert "\x1b" not in written.getvalue()
    assert "a[2J" in written.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x7fELF\xd0\x00", "not CSV text"),
        (b"timestamp,value\n2026-11-24T00:00:00Z,inf\n", "not finite"),
    ],
)
def test_a_back_test_names_what_it_cannot_read(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "series.csv"
    file.write_bytes(content)
    answer = CliRunner().invoke(alerts, ["backtest", "--rule", "anomaly", "--series", str(file)])
    assert answer.exit_code == 1
    assert message in answer.output


def test_a_forecast_refuses_what_it_cannot_square(tmp_path: Path) -> None:
    file = tmp_path / "series.csv"
    file.write_text("timestamp,value\n2026-11-24T00:00:00Z,1e300\n2026-11-24T01:00:00Z,1\n")
    answer = CliRunner().invoke(app, ["forecast", "--series", str(file), "--freq", "h"])
    assert answer.exit_code == 1
    assert "too large" in answer.output


def test_a_series_below_zero_is_forecast_below_zero(tmp_path: Path) -> None:
    file = tmp_path / "series.csv"
    hours = [f"2026-11-{1 + n // 24:02}T{n % 24:02}:00:00Z,{n % 24 - 30}" for n in range(480)]
    file.write_text("\n".join(["timestamp,value", *hours]))
    answer = CliRunner().invoke(app, ["forecast", "--series", str(file), "--freq", "h", "--horizon", "3"])
    found = [json.loads(line) for line in answer.output.splitlines()]
    assert [line["mean"] for line in found] == pytest.approx([-30, -29, -28], abs=1)
    assert all(line["lower95"] <= line["mean"] <= line["upper95"] for line in found)


def test_offline_prices_take_an_array_and_count_blank_lines(tmp_path: Path) -> None:
    event = {"id": "1", "source": "s", "time": "2026-11-24T00:00:00Z", "kind": "storage", "provider": "aws"}
    event |= {"sku": "s3-standard", "activity": "storage"}
    file = tmp_path / "usage.json"
    file.write_text(json.dumps([event | {"usage": {"gb_months": 1}}], indent=2))
    answer = CliRunner().invoke(app, ["price", str(file)])
    assert json.loads(answer.output)["cost"] == "0.023"
    file.write_text("\n\nno event\n")
    assert "line 3" in CliRunner().invoke(app, ["price", str(file)]).output


@pytest.mark.parametrize("text", ["a\nb", "a\x1b[31m", "x" * 501])
@pytest.mark.parametrize(
    "words",
    [
        ["note"],
        ["alerts", "ack", "5f0c", "--note"],
        ["alerts", "snooze", "5f0c", "--note"],
        ["alerts", "mark-expected", "5f0c", "--note"],
        ["opportunities", "--dismiss", "5f0c", "--reason"],
    ],
    ids=lambda words: words[-2] if len(words) > 1 else words[0],
)
def test_what_people_write_is_one_line_as_in_the_console(words: list[str], text: str) -> None:
    answer = CliRunner().invoke(app, [*words, text])
    said = " ".join(answer.output.replace("│", " ").split()) + str(answer.exception)
    assert answer.exit_code != 0
    assert "one line of at most 500 characters" in said
