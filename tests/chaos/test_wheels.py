"""The wheels, built here, in a clean environment of another folder: what `pip install outlay` and `uvx outlay` give."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.stack, pytest.mark.chaos, pytest.mark.timeout(2400)]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    build = [sys.executable, "-m", "uv", "build", "-q", "--all-packages", "--wheel", "--out-dir", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True)
    return folder


def run(folder: Path, *command: str) -> str:
    """Run a command with nothing of the checkout in its environment, and not in a terminal."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "VIRTUAL_ENV"))
    }
    env = {**kept, "OUTLAY_HOME": str(folder / "home")}
    env |= {"PIPX_HOME": str(folder / "pipx"), "PIPX_BIN_DIR": str(folder / "bin")}
    done = subprocess.run(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def test_a_clean_environment_runs_the_demo_from_wheels_alone(wheels: Path, tmp_path: Path) -> None:
    run(tmp_path, sys.executable, "-m", "venv", "env")
    install = ("-m", "pip", "install", "-q", "--disable-pip-version-check", "--find-links", str(wheels))
    run(tmp_path, "env/bin/python", *install, "outlay")
    outlay = "env/bin/outlay"
    assert run(tmp_path, outlay, "--version").startswith("outlay 0.")
    try:
        run(tmp_path, outlay, "up", "--ports", "auto")
        figures = json.loads(run(tmp_path, outlay, "demo", "--speed", "0", "--json"))
        assert figures["sent"] == figures["ledger_rows"] > 8819
        [row] = json.loads(
            run(tmp_path, outlay, "query", "--json", "SELECT sum(events) AS n FROM costs_daily")
        )
        assert int(row["n"]) == figures["sent"]
        assert "everything balances" in run(tmp_path, outlay, "audit")
    finally:
        run(tmp_path, outlay, "down")
    assert {path.name for path in tmp_path.iterdir()} == {
        "env",
        "home",
    }  # it leaves nothing where it was started


def test_uvx_runs_the_command_line_from_its_wheel(wheels: Path, tmp_path: Path) -> None:
    [wheel] = wheels.glob("outlay-*.whl")
    uv = (sys.executable, "-m", "uv", "tool", "run", "--find-links", str(wheels), "--from", str(wheel))
    assert run(tmp_path, *uv, "outlay", "--version").startswith("outlay 0.")


def test_pipx_installs_the_command_line_from_its_wheel(wheels: Path, tmp_path: Path) -> None:
    [wheel] = wheels.glob("outlay-*.whl")
    pipx = (sys.executable, "-m", "uv", "tool", "run", "pipx", "install", "--quiet")
    run(tmp_path, *pipx, "--pip-args", f"--find-links {wheels}", str(wheel))
    assert run(tmp_path, "bin/outlay", "--version").startswith("outlay 0.")
