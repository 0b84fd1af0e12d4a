"""A command whose stores go away says in one line what was done, and that it can be repeated."""

import os
import subprocess
import sys

import pytest

from outlay.cli.output import CommandError, resumable
from outlay.client import SendError
from outlay.embedded.ports import free_port
from outlay_kit.errors import Refused, Retryable

AWAY = Retryable("Kafka does not answer")


def _unsent() -> SendError:
    error = SendError("ingest is unavailable")
    error.__cause__ = AWAY
    return error


def _fail_after_three(error: BaseException) -> None:
    with resumable() as done:
        done("3 of 5 events were sent")
        raise error


@pytest.mark.parametrize("error", [AWAY, _unsent()])
def test_it_says_what_was_done_and_to_repeat_it(error: Exception) -> None:
    with pytest.raises(CommandError) as caught:
        _fail_after_three(error)
    assert str(caught.value) == f"{error}; 3 of 5 events were sent"
    assert "repeat the same command" in caught.value.hint


def test_before_the_first_step_nothing_was_changed() -> None:
    with pytest.raises(CommandError, match="; nothing was changed"), resumable():
        raise AWAY


@pytest.mark.parametrize("error", [Refused("wrong password"), SendError("wrong key"), KeyError("a bug")])
def test_what_no_repetition_helps_is_left_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, resumable():
        raise error
    assert caught.value is error


def test_a_command_that_the_user_stops_says_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        _fail_after_three(KeyboardInterrupt())
    assert capsys.readouterr().err == "3 of 5 events were sent; the same command completes the rest\n"


def test_a_clickhouse_that_is_away_is_one_line_without_words_of_its_client() -> None:
    """In a process of its own, as sockets of refused connections are left to the garbage collector."""
    url = f"http://127.0.0.1:{free_port()}"
    stores = {"OUTLAY_KAFKA": "127.0.0.1:1", "OUTLAY_CLICKHOUSE": url}
    done = subprocess.run(
        [sys.executable, "-m", "outlay", "audit", "--no-kafka"],
        env={**os.environ, **stores},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    [error, fix] = filter(None, done.stderr.splitlines())
    assert (
        error == f"Error: ClickHouse does not answer at {url}: Connection refused; the audit changed nothing"
    )
    assert fix.startswith("Fix: repeat the same command")
