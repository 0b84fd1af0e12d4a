"""Which parts of a library may be unmapped: those that were never written."""

from pathlib import Path

from outlay.embedded.chdb_server.code_pages import release, unwritten

SMAPS = """\
1000-2000 r--p 00000000 fe:00 7 /lib/_engine.so
Anonymous:             0 kB
2000-5000 r-xp 00001000 fe:00 7 /lib/_engine.so
Anonymous:             0 kB
5000-6000 r--p 00004000 fe:00 7 /lib/_engine.so
Anonymous:             4 kB
6000-7000 rw-p 00005000 fe:00 7 /lib/_engine.so
Anonymous:             0 kB
7000-8000 r--p 00000000 00:00 0
Anonymous:             0 kB
8000-9000 r-xp 00000000 fe:00 8 /lib/other.so
Anonymous:             0 kB
"""


def test_what_the_loader_wrote_and_protected_stays(tmp_path: Path) -> None:
    (tmp_path / "smaps").write_text(SMAPS)
    assert list(unwritten(tmp_path / "smaps", "_engine.so")) == [(0x1000, 0x2000), (0x2000, 0x5000)]
    assert list(unwritten(tmp_path / "nothing", "_engine.so")) == []


def test_a_library_works_after_its_pages_were_given_back() -> None:
    import msgspec

    assert release("_core.cpython") >= 0
    assert msgspec.json.decode(msgspec.json.encode({"a": 1})) == {"a": 1}
    assert release("no such library") == 0
