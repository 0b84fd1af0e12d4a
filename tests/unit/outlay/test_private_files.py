"""Secrets are in files that only their owner may read, whole or not at all."""

import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from outlay.embedded.clickhouse import ClickHouse
from outlay.embedded.lock import FolderLock
from outlay.embedded.supervisor import Child, Supervisor
from outlay.local.system import SERVICES, LocalSystem
from outlay.main import app
from outlay_console.sessions import read_secret
from outlay_kit.clock import SystemClock
from outlay_kit.private_files import make_private_folder, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_that_others_could_read_is_theirs_no_more(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_that_waits_under_the_name_of_the_part_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (tmp_path / "secret.partial").symlink_to(victim)
    write_private(tmp_path / "secret", b"new")
    assert victim.read_bytes() == b"untouched"
    assert not (tmp_path / "secret").is_symlink()


def test_a_folder_of_the_stack_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(mode=0o755, parents=True)
    make_private_folder(folder)
    assert mode(folder) == 0o700
    lock = FolderLock(tmp_path / "home")
    lock.acquire()
    lock.release()
    assert mode(tmp_path / "home") == 0o700


def test_passwords_of_the_stores_are_the_owners_and_no_argument_shows_one(tmp_path: Path) -> None:
    (tmp_path / "clickhouse").mkdir()
    (tmp_path / "clickhouse" / "users.json").write_text("{}")
    (tmp_path / "clickhouse" / "users.json").chmod(0o644)
    store = ClickHouse(tmp_path / "clickhouse", 1)
    command = store.prepare()
    assert {mode(path) for path in store.folder.iterdir()} == {0o600}
    assert mode(store.folder) == 0o700
    passwords = store.passwords().values()
    assert not any(password in " ".join(command) for password in passwords)
    assert not any(password in (store.folder / "users.json").read_text() for password in passwords)


def test_no_service_is_given_a_secret_where_every_user_of_the_machine_can_read_it(tmp_path: Path) -> None:
    system = LocalSystem(tmp_path)
    secrets = {one.password.get_secret_value() for one in (system.writer, system.console, system.reader)}
    for name in SERVICES:
        child = system._child(name)
        assert secrets & set(child.env.values()), "the control: it has them, in its environment"
        assert not any(secret in argument for secret in secrets for argument in child.argv)


def test_what_a_child_of_the_supervisor_writes_is_its_owners(tmp_path: Path) -> None:
    made = tmp_path / "made"
    script = f"open({str(made)!r}, 'w').close(); import time; time.sleep(60)"
    supervisor = Supervisor(tmp_path / "logs", SystemClock())
    supervisor.start(Child("child", [sys.executable, "-c", script], made.exists), wait=30)
    supervisor.stop()
    assert mode(made) == 0o600
    assert mode(tmp_path / "logs") == 0o700


def test_a_console_never_signs_with_an_empty_or_short_secret(tmp_path: Path) -> None:
    path = tmp_path / "console.secret"
    path.write_bytes(b"\n")  # as a process leaves it that is killed between making and writing it
    found = read_secret(path)
    assert len(found) >= 32
    assert read_secret(path) == found
    path.write_bytes(b"hunter2")
    with pytest.raises(ValueError, match="openssl rand"):
        read_secret(path)


def options(command: Any, path: str = "outlay") -> Iterator[tuple[str, Any]]:
    for one in command.params:
        yield f"{path} {one.opts[0]}", one
    for name, inside in getattr(command, "commands", {}).items():
        yield from options(inside, f"{path} {name}")


def test_no_command_takes_a_secret_as_an_argument_only() -> None:
    """Arguments are public on a machine: `ps` shows them to all."""
    found = dict(options(typer.main.get_command(app)))
    secret = {name: one for name, one in found.items() if re.search("api-key$|password|token$|secret", name)}
    assert secret
    assert all(one.envvar for one in secret.values()), secret.keys()
