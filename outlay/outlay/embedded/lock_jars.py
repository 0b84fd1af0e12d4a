"""Writes the list of Kafka's jars: `python -m outlay.embedded.lock_jars > outlay/outlay/embedded/kafka.jars`, for a new
KAFKA_VERSION. jgo resolves the versions; each jar is held against the checksum that Maven Central publishes."""

import hashlib
import sys
import tempfile
import tomllib
from pathlib import Path

import httpx
import jgo

from outlay.embedded.jars import CENTRAL, KAFKA_VERSION
from outlay.tls import trusted

_ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"


def main() -> None:
    """Print one line a jar: SHA-256, size in bytes, path in the repository."""
    with (
        tempfile.TemporaryDirectory() as folder,
        httpx.Client(follow_redirects=True, verify=trusted()) as http,
    ):
        environment = jgo.build(_ENDPOINT, cache_dir=Path(folder))
        lock = tomllib.loads((Path(environment.path) / "jgo.lock.toml").read_text())
        found = {(jar["groupId"], jar["artifactId"]): jar["version"] for jar in lock["dependencies"]}
        # Without a binding for its logging Kafka is silent, also about a full disk.
        log4j = "org.apache.logging.log4j"
        found[log4j, "log4j-slf4j-impl"] = found[log4j, "log4j-core"]
        for (group, name), version in sorted(found.items()):
            path = f"{group.replace('.', '/')}/{name}/{version}/{name}-{version}.jar"
            content = http.get(f"{CENTRAL}/{path}").raise_for_status().content
            published = http.get(f"{CENTRAL}/{path}.sha1").raise_for_status().text.split()[0]
            if hashlib.sha1(content, usedforsecurity=False).hexdigest() != published:
                raise SystemExit(f"{path} is not what Maven Central says it is")
            sys.stdout.write(f"{hashlib.sha256(content).hexdigest()} {len(content)} {path}\n")


if __name__ == "__main__":
    main()
