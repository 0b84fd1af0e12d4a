"""Where the system of this machine keeps its data, and how others find it while it runs."""

import os
from pathlib import Path
from urllib.parse import quote

import msgspec
from platformdirs import user_data_path
from pydantic import SecretStr

from outlay.embedded.errors import NotRunningError, StackError, StateError
from outlay.embedded.lock import holder
from outlay_kit.settings import ClickHouseSettings, KafkaSettings

TENANT = "default"  # whose events are that are sent with the local key


class Process(msgspec.Struct, frozen=True):
    """One process of the system. `health` is where a service serves /readyz and /metrics; empty for a store."""

    name: str
    pid: int
    restarts: int
    health: str = ""


class LocalState(msgspec.Struct, frozen=True):
    """How to reach a running system. The file that holds it has passwords: only its owner may read it."""

    pid: int
    kafka: str
    clickhouse: str
    writer: str
    writer_password: str
    reader: str
    reader_password: str
    ingest: str
    console: str
    processes: list[Process]
    budgets: str = ""  # where programs ask how a budget stands

    def kafka_settings(self) -> KafkaSettings:
        """How to reach Kafka."""
        return KafkaSettings(bootstrap=self.kafka)

    def clickhouse_settings(self, write: bool = False) -> ClickHouseSettings:
        """How to reach ClickHouse, as the user that can only read unless `write`."""
        name, password = (self.writer, self.writer_password) if write else (self.reader, self.reader_password)
        return ClickHouseSettings(url=self.clickhouse, user=name, password=SecretStr(password))


def home_folder() -> Path:
    """Return the data folder: OUTLAY_HOME, else `outlay` in the user's folder for data."""
    return Path(os.environ.get("OUTLAY_HOME") or user_data_path("outlay")).absolute()


def state_file(home: Path) -> Path:
    """Return the file that says how to reach the system of `home`."""
    return home / "state.json"


def running(home: Path | None = None) -> LocalState | None:
    """Return how to reach the system of a folder, None if it does not run. Raises StateError."""
    home = home or home_folder()
    pid = holder(home)
    if pid is None:
        return None
    try:
        state = msgspec.json.decode(state_file(home).read_bytes(), type=LocalState)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        message = f"{state_file(home)} cannot be read: {error}"
        raise StateError(message, "stop the system and start it again: outlay down") from error
    return state if state.pid == pid else None


def require_running() -> LocalState:
    """Return how to reach the system. Raises NotRunningError."""
    state = running()
    if state is None:
        raise NotRunningError(
            f"no system runs in {home_folder()}",
            "start one: outlay up; or name your own stores: OUTLAY_KAFKA, OUTLAY_CLICKHOUSE; OUTLAY_URL for ingest",
        )
    return state


def endpoint(url: str | None, api_key: str | None) -> tuple[str, str]:
    """Return where ingest is and with which key to send: as given, else the local system's. Raises NotRunningError if
    one of the two is not given and no system runs, StackError if it has no key or an empty one is given."""
    if api_key is not None and not api_key.strip():
        hint = "give --api-key KEY or OUTLAY_API_KEY=KEY; give neither for the local system's key"
        raise StackError("the API key that is given is empty", hint)
    if url and api_key:
        return url, api_key
    state = require_running()
    if url and url.rstrip("/") != state.ingest:
        raise StackError(f"{url} is not the local system's ingest, and no key is given", "give --api-key KEY")
    return state.ingest, api_key or local_keys(home_folder())[TENANT]


def tenant_of(url: str | None, api_key: str | None) -> str | None:
    """Return the tenant whose events `endpoint` sends; None if its ingest is not the local system's."""
    from outlay_kit.keys import KeyRing

    state = running()
    if state is None or (url and url.rstrip("/") != state.ingest):
        return None
    if not api_key:
        return TENANT
    key = KeyRing(keys_path(home_folder())).authenticate(api_key)
    return key.tenant if key else None


def keys_path(home: Path) -> Path:
    """Return the file of keys that ingest of this folder reads."""
    return home / "keys.json"


def local_keys(home: Path) -> dict[str, str]:
    """Return the keys, by tenant, that this folder's own commands use; {} before its first start."""
    try:
        return msgspec.json.decode((home / "local-keys.json").read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}


def login_links(state: LocalState, home: Path, path: str = "") -> dict[str, str]:
    """Return, by tenant, where the console logs in by itself, and goes on to `path`: the key stands behind #, which no
    server sees."""
    then = f"?next={quote(path)}" if path else ""
    return {tenant: f"{state.console}/login{then}#key={key}" for tenant, key in local_keys(home).items()}


def log_files(home: Path) -> dict[str, Path]:
    """Return the logs of the processes of a folder, by name."""
    files = [home / "system.log", *sorted((home / "logs").glob("*.log"))]
    return {file.stem: file for file in files if file.is_file()}


def stores(write: bool = False) -> tuple[KafkaSettings, ClickHouseSettings]:
    """Return how to reach Kafka and ClickHouse: what the environment names, else the local system, there as the user
    that can only read unless `write`. Raises NotRunningError."""
    if "OUTLAY_KAFKA" in os.environ and "OUTLAY_CLICKHOUSE" in os.environ:
        return KafkaSettings(), ClickHouseSettings()
    state = require_running()
    return state.kafka_settings(), state.clickhouse_settings(write)
