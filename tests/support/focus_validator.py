"""Runs the FinOps Foundation's own focus-validator, in an environment of its own.

It needs Python 3.12 and NumPy 1, which the project's environment does not have: uv makes one beside it. It reads its
list of currencies by a path relative to where it is installed. Rules that a file alone cannot answer it skips itself.
"""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest

VERSION = "1.2.0.1"
PACKAGES = ("focus-validator==2.2.1", "pyarrow<21")  # newer pyarrow needs NumPy 2
CONTRADICTORY = {"InvoiceId-C-004-C", "InvoiceId-C-005-C"}
"""InvoiceId must be null, and must not be null: the two arms of InvoiceId-C-003-C, which needs one of them."""
_MAIN = (
    "import os, pathlib, sys, focus_validator\n"
    "os.chdir(pathlib.Path(focus_validator.__file__).parents[1])\n"
    "from focus_validator.main import main\n"
    "sys.exit(main())"
)
_PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"


def failures(file: Path) -> list[str]:
    """Return the ids of the rules that a CSV breaks. Skips the test without Python 3.12 or the package."""
    found = file.with_suffix(".xml")
    ran = _python(
        _MAIN, "--data-file", str(file), "--validate-version", VERSION, "--block-download",
        "--output-type", "unittest", "--output-destination", str(found),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    report = ET.parse(found).getroot()  # noqa: S314 (we wrote it)
    broken = {str(failure.get("name")) for failure in report.iter("failure")}
    assert int(report.get("tests", 0)) - int(report.get("skipped", 0)) > 100, "it checked nearly nothing"
    return sorted(broken - CONTRADICTORY)


def _python(code: str, *words: str) -> "subprocess.CompletedProcess[str]":
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        pytest.skip("focus-validator needs Python 3.12 and NumPy 1: uv is missing")
    reason = ""
    for python in ("3.12", *_PYENV.glob("3.12*/bin/python")):
        command = [uv, "run", "--quiet", "--isolated", "--no-project", "--no-python-downloads"]
        command += ["--python", str(python), *(word for package in PACKAGES for word in ("--with", package))]
        probe = _run([*command, "python", "-c", "import focus_validator"])
        if probe.returncode == 0:
            return _run([*command, "python", "-c", code, *words])
        reason = probe.stderr[-300:]
    pytest.skip(f"focus-validator needs Python 3.12, or cannot be installed: {reason}")


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)
