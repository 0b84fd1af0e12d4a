"""Keys: made once, seen once, kept as hashes, revoked at once."""

import json
import os
import re
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from outlay_kit.clock import FakeClock
from outlay_kit.keys import KeyFile, KeyFileError, KeyRing

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "keys.json"


def test_a_key_opens_what_it_was_made_for(path: Path) -> None:
    key = KeyFile(path).create("acme", ("ingest", "read"), NOW, "checkout")
    assert re.fullmatch(r"out_live_[a-z0-9]{12}_[A-Za-z0-9]{32}", key)
    found = KeyRing(path).authenticate(key)
    assert found is not None
    assert (found.tenant, found.scopes, found.created, found.revoked) == (
        "acme",
        ("ingest", "read"),
        NOW,
        None,
    )


@pytest.mark.parametrize(("tenant", "name"), [("ac\nme", ""), ("acme", "a\x1b[2J"), ("acme", "a\u202eb")])
def test_names_with_control_characters_are_refused(path: Path, tenant: str, name: str) -> None:
    with pytest.raises(KeyFileError, match="control characters"):
        KeyFile(path).create(tenant, ("ingest",), NOW, name)
    assert KeyFile(path).all() == []


def test_the_secret_is_nowhere_in_the_file_and_only_its_owner_may_read_it(path: Path) -> None:
    key = KeyFile(path).create("acme", ("ingest",), NOW)
    assert key.rsplit("_", 1)[1] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    KeyFile(path).create("acme", ("ingest",), NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_wrong_unknown_and_revoked_keys_open_nothing(path: Path) -> None:
    file = KeyFile(path)
    key, other = file.create("acme", ("ingest",), NOW), file.create("acme", ("ingest",), NOW)
    ring = KeyRing(path)
    swapped = key.rsplit("_", 1)[0] + "_" + other.rsplit("_", 1)[1]
    for wrong in ("", "out_live__", swapped, key + "\n", " " + key, key.upper(), key[:-1], "ключ"):
        assert ring.authenticate(wrong) is None
    assert file.revoke(key.split("_")[2], NOW)
    assert not file.revoke(key.split("_")[2], NOW)
    assert not file.revoke("nosuchkey000", NOW)
    assert ring.authenticate(key) is None
    assert ring.authenticate(other) is not None
    assert [bool(k.revoked) for k in file.all()] == [True, False]


def test_a_key_is_good_from_the_moment_it_was_made_and_no_more_once_it_is_revoked(path: Path) -> None:
    ring = KeyRing(path)
    key = KeyFile(path).create("acme", ("ingest",), NOW)
    assert ring.authenticate(key) is not None
    assert KeyFile(path).revoke(key.split("_")[2], NOW)
    assert ring.authenticate(key) is None


def test_a_damaged_file_leaves_the_keys_known_in_force(path: Path) -> None:
    key = KeyFile(path).create("acme", ("ingest",), NOW)
    ring = KeyRing(path)
    for damage in ("{", '{"keys": [{"id": 1}]}', '{"keys": [{"id":"a","tenant":"b","scopes":["root"]}]}'):
        path.write_text(damage)
        with pytest.raises(KeyFileError):
            ring.refresh()
        with pytest.raises(KeyFileError):
            KeyFile(path).create("acme", ("ingest",), NOW)
        assert path.read_text() == damage
        assert ring.authenticate(key) is not None


def test_a_file_that_is_gone_opens_nothing(path: Path) -> None:
    key = KeyFile(path).create("acme", ("ingest",), NOW)
    ring = KeyRing(path)
    path.unlink()
    ring.refresh()
    assert ring.authenticate(key) is None
    assert KeyFile(path).all() == []


def test_a_file_that_cannot_be_reached_is_reported(path: Path) -> None:
    ring = KeyRing(path)
    path.parent.write_text("a file in the place of the folder")
    with pytest.raises(KeyFileError):
        ring.refresh()
    with pytest.raises(KeyFileError):
        KeyFile(path).create("acme", ("ingest",), NOW)


def test_keys_made_at_the_same_time_are_all_kept(path: Path) -> None:
    threads = [
        threading.Thread(target=lambda: KeyFile(path).create("acme", ("ingest",), NOW)) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(KeyFile(path).all()) == 12


def test_what_makes_no_key(path: Path) -> None:
    for tenant in ("", "x" * 257):
        with pytest.raises(KeyFileError, match="tenant"):
            KeyFile(path).create(tenant, ("ingest",), NOW)
    with pytest.raises(KeyFileError, match="scope"):
        KeyFile(path).create("acme", ("root",), NOW)  # type: ignore[arg-type]


def test_the_file_is_read_again_only_when_it_changed(path: Path) -> None:
    key = KeyFile(path).create("acme", ("ingest",), NOW)
    ring = KeyRing(path)
    before = path.stat()
    saved = json.loads(path.read_text())
    path.write_text(json.dumps(saved)[:-1].ljust(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    ring.refresh()
    assert ring.authenticate(key) is not None


def test_a_key_that_ends_elsewhere_is_refused_whatever_the_file_says(path: Path) -> None:
    key, clock = KeyFile(path).create("acme", ("ingest",), NOW), FakeClock(NOW)
    ring, key_id = KeyRing(path, clock), key.split("_")[2]
    ring.end(key_id, NOW + timedelta(hours=1))
    ring.end(key_id, NOW + timedelta(hours=2))  # it came later, and extends nothing
    assert ring.authenticate(key) is not None
    clock.advance(3600)
    assert ring.authenticate(key) is None
    assert ring.find(key_id) is None
    path.touch()
    ring.refresh()
    assert ring.find(key_id) is None
