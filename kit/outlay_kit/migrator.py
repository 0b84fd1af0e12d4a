"""Brings ClickHouse's tables to the newest version: numbered SQL files, each applied once, in order."""

import re
from importlib import resources

from clickhouse_connect.driver.exceptions import DatabaseError

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.cluster_schema import cluster_of, clustered
from outlay_kit.errors import Refused
from outlay_kit.settings import ClickHouseSettings

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql\Z")


def migrations() -> list[tuple[int, str, str]]:
    """Return (number, file name, SQL) of every migration, in order."""
    found = []
    for entry in resources.files("outlay_schemas").joinpath("sql").iterdir():
        match = _NAME.match(entry.name)
        if match:
            found.append((int(match[1]), entry.name, entry.read_text("utf-8")))
    return sorted(found)


def migrate(settings: ClickHouseSettings, through: int = 9999, cluster: str = "") -> list[str]:
    """Apply what is missing, up to number `through`; return the names applied. `cluster`: whose nodes get Replicated
    and Distributed tables; found again once they are there. Raises Retryable if ClickHouse is away, ValueError for a
    cluster whose database has other tables. Every statement is safe to repeat: a crash before the mark of a version
    repeats it. Two services may migrate at once: marks are read again before a version that lacks one, and a version
    of which a statement failed is repeated, since the other may have dropped a table that it needed."""
    server = ClickHouseClient(settings, database="")
    on = f" ON CLUSTER '{cluster}'" if cluster else ""
    server.command(f"CREATE DATABASE IF NOT EXISTS {{db:Identifier}}{on}", {"db": settings.database})
    server.close()
    clickhouse = ClickHouseClient(settings)
    cluster = _cluster(clickhouse, cluster)

    def apply(statement: str) -> None:
        for one in clustered(statement, cluster) if cluster else [statement]:
            clickhouse.command(one)

    def version(sql: str) -> None:
        for statement in statements(sql):
            apply(statement)

    apply(
        "CREATE TABLE IF NOT EXISTS schema_migrations (number UInt32, name String, at DateTime64(3, 'UTC')"
        " DEFAULT now64(3)) ENGINE = ReplacingMergeTree ORDER BY number"
        " COMMENT 'Which versions of the tables were applied'"
    )
    applied, marked = [], _marked(clickhouse)
    for number, name, sql in migrations():
        if number > through or number in marked or number in (marked := _marked(clickhouse)):
            continue
        try:
            version(sql)
        except (Refused, DatabaseError):
            if number in (marked := _marked(clickhouse)):
                continue
            version(sql)
        clickhouse.command(
            "INSERT INTO schema_migrations (number, name) VALUES ({number:UInt32}, {name:String})",
            {"number": number, "name": name},
        )
        applied.append(name)
    clickhouse.close()
    return applied


def _cluster(clickhouse: ClickHouseClient, wanted: str) -> str:
    found = cluster_of(clickhouse)
    if wanted and found not in (None, wanted):
        raise ValueError(
            f"the database has tables that are not on the cluster {wanted}: use another database"
        )
    return wanted if found is None else found


def _marked(clickhouse: ClickHouseClient) -> set[int]:
    return {row["number"] for row in clickhouse.rows("SELECT number FROM schema_migrations")}


def statements(sql: str) -> list[str]:
    """Split a file at the semicolons that end a line, dropping `--` lines."""
    text = "\n".join(line for line in sql.splitlines() if not line.lstrip().startswith("--"))
    return [part.strip() for part in re.split(r";\s*$", text, flags=re.MULTILINE) if part.strip()]
