"""A copy of a stopped system's data folder is a backup: after a restore the totals are the same and work continues."""

import shutil
from pathlib import Path

import pytest
from tests.support.system import Cli
from tests.support.usage import usage

pytestmark = [pytest.mark.stack, pytest.mark.chaos]


@pytest.mark.timeout(600)
def test_a_backup_that_is_put_back_balances_and_goes_on(tmp_path: Path) -> None:
    cli, copy = Cli(tmp_path / "home"), tmp_path / "backup"
    cli("up", "--ports", "auto")
    cli("emit", "-", stdin="\n".join(usage(f"kept{n}") for n in range(40)))
    before = cli.json("audit")
    assert before["balanced"] is True
    cli("down")
    shutil.copytree(cli.home, copy, symlinks=True)  # cp -a
    cli("up", "--ports", "auto")
    cli("emit", "-", stdin="\n".join(usage(f"lost{n}") for n in range(7)))
    cli("audit")
    cli("down")
    shutil.rmtree(cli.home)  # the disk is lost
    shutil.copytree(copy, cli.home, symlinks=True)
    cli("up", "--ports", "auto")
    after = cli.json("audit")
    assert after["balanced"] is True
    assert after["periods"] == before["periods"]
    # who sent after the backup sends again
    cli("emit", "-", stdin="\n".join(usage(f"lost{n}") for n in range(7)))
    found = cli.json("audit")
    assert found["balanced"] is True
    assert sum(p["events"] for p in found["periods"]) == sum(p["events"] for p in before["periods"]) + 7
    cli("down")
