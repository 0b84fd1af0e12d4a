"""Kafka's jars: whole and as they should be, or an error that says what to do."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import certifi
import pytest
import trustme
from tests.support.http_server import Handler, serving

from outlay.embedded.errors import ChecksumError, DiskError, MissingError
from outlay.embedded.jars import KAFKA_VERSION, Jar, kafka_classpath, locked, missing
from outlay.embedded.ports import free_port
from outlay.embedded.progress import Silent


class Repository(Handler):
    """A mirror of Maven Central with a few files; `cuts` are the answers that it leaves half said."""

    files: dict[str, bytes]
    cuts: int
    asked: list[str]

    def do_GET(self) -> None:  # noqa: N802 (the library calls it so)
        type(self).asked.append(self.path)
        content = self.files.get(self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.cuts:
            type(self).cuts -= 1
            content = content[: len(content) // 2]
        self.wfile.write(content)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Repository]]:
    mirror = type("Mirror", (Repository,), {"files": {}, "cuts": 0, "asked": []})
    monkeypatch.setenv("OUTLAY_CACHE", str(tmp_path / "cache"))
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), mirror)) as port:
        monkeypatch.setenv("OUTLAY_MAVEN", f"http://127.0.0.1:{port}/")
        yield mirror


def jar(name: str, content: bytes) -> Jar:
    return Jar(hashlib.sha256(content).hexdigest(), len(content), f"org/{name}.jar")


ONE, TWO = jar("one", b"1" * 5000), jar("two", b"2" * 7000)
BOTH = {ONE.path: b"1" * 5000, TWO.path: b"2" * 7000}


def test_what_is_missing_is_fetched_and_what_is_there_is_not(repository: type[Repository]) -> None:
    repository.files = BOTH
    paths = kafka_classpath(Silent(), [ONE])
    assert [path.read_bytes() for path in paths] == [BOTH[ONE.path]]
    kafka_classpath(Silent(), [ONE, TWO])
    kafka_classpath(Silent(), [ONE, TWO])
    assert repository.asked == [f"/{ONE.path}", f"/{TWO.path}"]


def test_a_cut_connection_is_tried_again(repository: type[Repository]) -> None:
    repository.files, repository.cuts = BOTH, 2
    assert kafka_classpath(Silent(), [ONE])[0].read_bytes() == BOTH[ONE.path]
    assert len(repository.asked) == 3


def test_a_jar_that_was_changed_on_the_way_is_refused(repository: type[Repository], tmp_path: Path) -> None:
    repository.files = {ONE.path: b"x" * 5000}
    with pytest.raises(ChecksumError) as caught:
        kafka_classpath(Silent(), [ONE])
    assert "SHA-256" in caught.value.message
    assert "OUTLAY_MAVEN" in caught.value.hint
    assert [file for file in (tmp_path / "cache").rglob("*") if file.is_file()] == []


def test_a_jar_that_rotted_on_the_disk_is_fetched_again(repository: type[Repository]) -> None:
    repository.files = BOTH
    path = kafka_classpath(Silent(), [ONE])[0]
    path.write_bytes(b"0" * 5000)
    assert missing([ONE], path.parent) == [ONE]
    assert kafka_classpath(Silent(), [ONE])[0].read_bytes() == BOTH[ONE.path]


def test_a_repository_without_the_jar_is_named(repository: type[Repository]) -> None:
    with pytest.raises(MissingError, match="404"):
        kafka_classpath(Silent(), [ONE])


def test_no_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAY_MAVEN", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OUTLAY_CACHE", str(tmp_path))
    with pytest.raises(MissingError) as caught:
        kafka_classpath(Silent())
    assert "could not be fetched from http://127.0.0.1" in caught.value.message
    for way in ("HTTPS_PROXY", "OUTLAY_MAVEN", str(tmp_path / f"kafka-{KAFKA_VERSION}")):
        assert way in caught.value.hint


def test_a_folder_that_takes_no_more_is_a_disk_error(repository: type[Repository], tmp_path: Path) -> None:
    repository.files = BOTH
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from outlay.embedded.jars import *; from outlay.embedded.progress import Silent\n"
        f"try: kafka_classpath(Silent(), [{ONE!r}])\n"
        "except DiskError as error: print(error.message, '|', error.hint)\n"
    )
    # -B: a compiled module that is cut at the limit would be kept, and break whoever imports it next
    answer = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True)
    assert "the jars of Kafka 4.3.1 cannot be kept" in answer.stdout
    assert "OUTLAY_CACHE" in answer.stdout
    assert [file for file in (tmp_path / "cache").rglob("*") if file.is_file()] == []


def test_a_cache_that_cannot_be_made_is_a_disk_error(repository: type[Repository], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DiskError):
        kafka_classpath(Silent(), [ONE])


def test_the_list_names_each_jar_once() -> None:
    names = [jar.name for jar in locked()]
    assert len(set(names)) == len(names) > 40
    assert f"kafka_2.13-{KAFKA_VERSION}.jar" in names


def test_jars_are_fetched_behind_an_authority_that_only_the_system_trusts(
    tmp_path: Path, repository: type[Repository], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A company's proxy signs with its own authority: it is in the system's folder, not in the bundle of the client."""
    authority = trustme.CA()
    folder = tmp_path / "certificates"
    folder.mkdir()
    authority.cert_pem.write_to_path(folder / "company.pem")
    subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), repository)
    tls = SSLContext(PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    content = b"a jar"
    repository.files = {"org/a.jar": content}
    with serving(server) as port:
        monkeypatch.setenv("OUTLAY_MAVEN", f"https://localhost:{port}")
        [path] = kafka_classpath(Silent(), [jar("a", content)])
    assert path.read_bytes() == content
