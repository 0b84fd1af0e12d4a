"""Every command says what it does and shows how."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from outlay.main import app

PLAIN = {"down", "status", "doctor", "setup", "list", "audit"}
"""Commands that need no example: their name is one."""


def _leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield path
        return
    for name, child in below.items():
        yield from _leaves(child, (*path, name))


LEAVES = sorted(_leaves(typer.main.get_command(app)))


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_help_says_what_a_command_does_with_examples(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0, result.output
    assert path[-1] in PLAIN or f"outlay {' '.join(path)}" in result.output, "give an example"


def test_a_tenant_whose_name_no_topic_may_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAY_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("OUTLAY_CLICKHOUSE", "http://127.0.0.1:1")
    result = CliRunner().invoke(app, ["setup", "--direct-tenant", "a b"])
    assert result.exit_code == 1
    assert "'a b'" in result.stderr


def test_the_version_is_that_of_the_package() -> None:
    answer = CliRunner().invoke(app, ["--version"])
    assert (answer.exit_code, answer.output) == (0, f"outlay {version('outlay')}\n")
