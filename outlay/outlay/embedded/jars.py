"""Jars, Kafka's above all, fetched once from Maven Central: `kafka.jars` names each with its checksum, so that all
machines run the same bytes. A jar gets its name only when it is whole: an interrupted download does no harm."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from outlay.embedded.errors import ChecksumError, DiskError, MissingError
from outlay.embedded.progress import Progress

if TYPE_CHECKING:
    import httpx

KAFKA_VERSION = "4.3.1"
CENTRAL = "https://repo1.maven.org/maven2"
_ATTEMPTS = 3


@dataclass(frozen=True)
class Jar:
    """A jar: what it must be, and where the repository has it."""

    sha256: str
    size: int
    path: str

    @property
    def name(self) -> str:
        """Its file name."""
        return self.path.rpartition("/")[2]


def cache_folder() -> Path:
    """Return where downloads are kept: OUTLAY_CACHE, else the user's cache folder."""
    return Path(os.environ.get("OUTLAY_CACHE") or user_cache_path("outlay"))


def locked() -> list[Jar]:
    """Return every jar that Kafka needs."""
    text = resources.files("outlay.embedded").joinpath("kafka.jars").read_text("utf-8")
    found = [line.split() for line in text.splitlines()]
    return [Jar(sha256, int(size), path) for sha256, size, path in found]


def missing(jars: Sequence[Jar], folder: Path) -> list[Jar]:
    """Return the jars that are not in `folder`, or not what they should be (43 MB take a tenth of a second)."""
    return [jar for jar in jars if not _is_whole(folder / jar.name, jar)]


def kafka_classpath(progress: Progress, jars: Sequence[Jar] | None = None) -> list[Path]:
    """Return Kafka's jars, fetching what is missing: from OUTLAY_MAVEN, a mirror of Maven Central, through the usual
    proxy variables. Raises MissingError, ChecksumError or DiskError."""
    return fetched(locked() if jars is None else jars, f"Kafka {KAFKA_VERSION}", progress)


def fetched(jars: Sequence[Jar], what: str, progress: Progress) -> list[Path]:
    """Return these jars of `what`, a name and a version, kept in a folder of that name; errors as above."""
    folder = cache_folder() / what.lower().replace(" ", "-")
    wanted = missing(jars, folder)
    if wanted:
        _fetch_all(wanted, what, folder, progress)
    return [folder / jar.name for jar in jars]


def _fetch_all(jars: Sequence[Jar], what: str, folder: Path, progress: Progress) -> None:
    import httpx  # not at each start: the process that fetches nothing would hold it for as long as it runs

    from outlay.tls import trusted

    total = sum(jar.size for jar in jars)
    source = os.environ.get("OUTLAY_MAVEN", CENTRAL).rstrip("/")
    progress.step(f"fetching {what} from {source} ({total / 1e6:.0f} MB, once)")
    done = 0

    def count(received: int) -> None:
        nonlocal done
        done += received
        progress.bytes(done, total)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        timeout = httpx.Timeout(30, connect=10)
        client = httpx.Client(follow_redirects=True, timeout=timeout, verify=trusted())
        with client as http, ThreadPoolExecutor(4) as pool:
            try:
                list(pool.map(lambda jar: _fetch(http, f"{source}/{jar.path}", jar, folder, count), jars))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)  # what one did not get, the others will not
                raise
    except httpx.HTTPError as error:
        raise MissingError(
            f"the jars of {what} could not be fetched from {source}: {str(error) or type(error).__name__}",
            "check the network, set HTTPS_PROXY if there is a proxy, name a mirror in OUTLAY_MAVEN, "
            f"or copy {folder} from another machine; what was fetched is kept",
        ) from error
    except OSError as error:
        message = f"the jars of {what} cannot be kept in {folder}: {error.strerror}"
        hint = "free space or fix the permissions there, or choose another folder: OUTLAY_CACHE=DIR"
        raise DiskError(message, hint) from error


def _fetch(http: "httpx.Client", url: str, jar: Jar, folder: Path, count: Callable[[int], None]) -> None:
    """Fetch one jar, trying again after a cut connection; it gets its name when it is whole."""
    import httpx

    for attempt in range(1, _ATTEMPTS + 1):
        received, digest = 0, hashlib.sha256()
        descriptor, partial = tempfile.mkstemp(dir=folder, prefix=".partial-")
        try:
            with os.fdopen(descriptor, "wb") as file, http.stream("GET", url) as answer:
                answer.raise_for_status()
                for piece in answer.iter_bytes():
                    file.write(piece)
                    digest.update(piece)
                    received += len(piece)
                    count(len(piece))
            if digest.hexdigest() != jar.sha256:
                message = f"{url} is not the file that Outlay was made with (SHA-256 {digest.hexdigest()})"
                hint = "a proxy or mirror may have changed it: try another network, or another OUTLAY_MAVEN"
                raise ChecksumError(message, hint)
            Path(partial).replace(folder / jar.name)
        except httpx.TransportError:
            count(-received)
            if attempt == _ATTEMPTS:
                raise
        else:
            return
        finally:
            Path(partial).unlink(missing_ok=True)


def _is_whole(file: Path, jar: Jar) -> bool:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False
