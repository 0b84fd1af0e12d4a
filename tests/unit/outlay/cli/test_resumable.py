"""A command whose stores go away says in one line what was done, and that it can be repeated."""

import pytest
from tests.support.commands import run

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
    assert capsys.readouterr().err == "3 of 5 events were sent; the same command does the rest\n"


@pytest.mark.parametrize("words", [("audit", "--no-kafka"), ("rebuild",), ("periods", "close", "2026-10")])
def test_a_clickhouse_that_is_away_is_one_line_without_words_of_its_client(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("OUTLAY_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("OUTLAY_CLICKHOUSE", url)
    result = run(*words)
    assert result.exit_code == 1
    [error, fix] = filter(None, result.stderr.splitlines())
    assert error.startswith(f"Error: ClickHouse does not answer at {url}: Connection refused")
    assert fix.startswith("Fix: ")
