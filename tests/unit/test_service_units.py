"""The unit files for systemd and launchd are valid and run the same command."""

import plistlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from outlay.main import app

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = (DEPLOY / "systemd" / "outlay.service").read_text("utf-8")
COMMAND = ["up", "--foreground"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    installed = UNIT.replace("/opt/outlay/bin/outlay", str(Path(sys.executable).with_name("outlay")))
    unit = tmp_path / "outlay.service"
    unit.write_text(installed)
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_both_unit_files_run_outlay_in_the_foreground_and_restart_it_after_a_failure() -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", UNIT, re.MULTILINE)
    assert line.split()[1:] == COMMAND
    assert re.search("^Restart=on-failure$", UNIT, re.MULTILINE)
    agent = plistlib.loads((DEPLOY / "launchd" / "dev.outlay.plist").read_bytes())
    assert agent["ProgramArguments"][1:] == COMMAND
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    help_text = CliRunner().invoke(app, ["up", "--help"], env={"COLUMNS": "200"}).output
    assert "--foreground" in help_text
