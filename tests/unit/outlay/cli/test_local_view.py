"""`outlay logs` and `outlay open`: what the processes of this machine write, and where its console is."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from outlay.cli import local_view
from outlay.main import app


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OUTLAY_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "ingest.log").write_text(
        '{"event": "started", "timestamp": "2026-11-30T00:00:01.5Z"}\n'
        '{"event": "failed", "timestamp": "2026-11-30T00:00:03Z"}\n'
        "Traceback (most recent call last):\n"
    )
    (tmp_path / "logs" / "pricer.log").write_text('{"event": "ready", "timestamp": "2026-11-30T00:00:02Z"}\n')
    return tmp_path


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_logs_of_all_processes_are_in_the_order_of_time(home: Path) -> None:
    lines = run("logs").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ingest", "pricer", "ingest", "ingest"]
    assert lines[-1].endswith("Traceback (most recent call last):"), (
        "a line without a time stays where it was"
    )


def test_logs_of_one_process_since_a_time_are_as_it_wrote_them(home: Path) -> None:
    lines = run("logs", "ingest", "--since", "2026-11-30T00:00:02Z").stdout.splitlines()
    assert lines[0] == '{"event": "failed", "timestamp": "2026-11-30T00:00:03Z"}'
    assert len(lines) == 2
    assert run("logs", "--since", "1s").stdout == ""


def test_what_is_written_later_is_followed_also_after_a_log_was_cut(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, steps = home / "logs" / "pricer.log", []

    class Clock:
        def sleep(self, _: float) -> None:
            steps.append(1)
            if len(steps) == 1:
                with file.open("a") as log:
                    log.write("one\nhalf")
            elif len(steps) == 2:
                with file.open("a") as log:
                    log.write(" is whole\n")
            elif len(steps) == 3:
                file.write_text("cut\n")
            else:
                raise KeyboardInterrupt

    monkeypatch.setattr(local_view, "SystemClock", Clock)
    lines = run("logs", "pricer", "-f", code=130).stdout.splitlines()
    assert lines[1:] == ["one", "half is whole", "cut"]


def test_a_process_that_does_not_exist_is_refused(home: Path) -> None:
    assert 'did you mean "ingest"?' in run("logs", "ingst", code=1).stderr


@pytest.mark.usefixtures("home")
def test_open_prints_the_consoles_address_without_a_key() -> None:
    os.environ["OUTLAY_ALERTER_CONSOLE_URL"] = "https://outlay.example/"
    try:
        assert run("open").stdout == "https://outlay.example\n"
    finally:
        del os.environ["OUTLAY_ALERTER_CONSOLE_URL"]
    assert "no console is known" in run("open", code=1).stderr
