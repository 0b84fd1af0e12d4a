"""A command loads what it needs: help loads nothing of ours, and keys neither Kafka nor ClickHouse."""

import subprocess
import sys
from pathlib import Path

HEAVY = {"kafka", "clickhouse_connect", "chdb", "numpy", "pyarrow", "faust", "starlette"}


def loaded(*words: str) -> set[str]:
    """Run a command in a process of its own; return the packages that it imported."""
    code = (
        "import sys\nfrom outlay.main import app\ntry:\n    app(sys.argv[1:])\nexcept SystemExit as end:\n"
        "    assert not end.code, end.code\nprint('\\n' + ' '.join({n.split('.')[0] for n in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.splitlines()[-1].split())


def test_help_loads_no_package_of_ours_and_no_rich() -> None:
    found = loaded("--help")
    assert not found & (HEAVY | {"rich", "msgspec", "pydantic"})
    assert {name for name in found if name.startswith("outlay")} == {"outlay"}


def test_keys_load_neither_kafka_nor_clickhouse(tmp_path: Path) -> None:
    file = str(tmp_path / "keys.json")
    assert not loaded("keys", "create", "--keys-file", file) & HEAVY
    assert not loaded("keys", "list", "--keys-file", file) & HEAVY


def test_the_commands_of_the_local_system_load_no_client_before_they_need_one() -> None:
    assert not loaded("up", "--help") & HEAVY
