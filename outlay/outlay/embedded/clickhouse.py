"""ClickHouse: its own server where the binary is on PATH, else chDB behind ClickHouse's HTTP interface."""

import json
import secrets
import shutil
import sys
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import escape

from outlay.embedded.chdb_server.users import BACKGROUND, READER_LIMITS, READER_QUERIES, hash_password
from outlay.embedded.errors import MissingError
from outlay_kit.private_files import make_private_folder, write_private

WRITER = "outlay"
CONSOLE = "console"  # reads for the console's pages, so that the queries of BI tools do not delay them
READER = "reader"  # reads for BI tools and commands


@dataclass(frozen=True)
class ClickHouse:
    """The engine over one folder, on one port."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"

    def passwords(self) -> dict[str, str]:
        """Return the password of each user, made at the first start and kept in a file that only the owner may read."""
        path = self.folder / "passwords.json"
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        made = {name: secrets.token_urlsafe(24) for name in (WRITER, CONSOLE, READER) if name not in known}
        if made:
            make_private_folder(self.folder)
            write_private(path, json.dumps(known | made).encode())
        return known | made

    def prepare(self) -> list[str]:
        """Write users and settings, return the command. Raises MissingError."""
        passwords = self.passwords()
        binary = shutil.which("clickhouse")
        if binary:
            config = self.folder / "config.xml"
            write_private(config, _server_config(self.folder, self.port, passwords).encode())
            return [binary, "server", f"--config-file={config}"]
        # Not imported to see it: this process would hold 100 MiB more for as long as it runs.
        if find_spec("chdb") is None:
            message = "no ClickHouse: the binary is not on PATH, and chDB is not installed"
            hint = "reinstall with: make clean setup; or point OUTLAY_CLICKHOUSE at a server"
            raise MissingError(message, hint)
        users = self.folder / "users.json"
        limits = {name: {"readonly": name != WRITER, "background": name == READER} for name in passwords}
        hashes = {name: {"password_sha256": hash_password(password)} for name, password in passwords.items()}
        write_private(users, json.dumps({name: limits[name] | hashes[name] for name in passwords}).encode())
        server = [sys.executable, "-m", "outlay.embedded.chdb_server", "--data", str(self.folder / "chdb")]
        return [*server, "--users", str(users), "--port", str(self.port)]

    def answers(self) -> bool:
        """Tell whether the engine answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=2) as answer:  # noqa: S310 (loopback)
                return bool(answer.status == 200)
        except OSError:  # URLError is one
            return False


def _server_config(folder: Path, port: int, passwords: dict[str, str]) -> str:
    path = escape(str(folder / "server"))
    users = "".join(
        f"<{name}><password_sha256_hex>{hash_password(password)}</password_sha256_hex>"
        f"<profile>{'default' if name == WRITER else name}</profile><quota>default</quota>"
        f"<networks><ip>127.0.0.1</ip></networks>"
        f"<access_management>{int(name == WRITER)}</access_management></{name}>"
        for name, password in passwords.items()
    )
    console = {"readonly": 1, "max_concurrent_queries_for_user": READER_QUERIES, **READER_LIMITS}
    profiles = "".join(
        f"<{name}>{''.join(f'<{key}>{value}</{key}>' for key, value in settings.items())}</{name}>"
        for name, settings in ((CONSOLE, console), (READER, {**console, **BACKGROUND}))
    )
    return f"""<clickhouse>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{port}</http_port>
  <path>{path}/</path>
  <user_files_path>{path}/user_files/</user_files_path>
  <timezone>UTC</timezone>
  <mark_cache_size>268435456</mark_cache_size>
  <profiles>
    <default><async_insert>0</async_insert><max_memory_usage>4294967296</max_memory_usage></default>
    {profiles}
  </profiles>
  <quotas><default/></quotas>
  <users>{users}</users>
</clickhouse>
"""
