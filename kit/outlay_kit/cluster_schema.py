"""The statements of the migrations as a ClickHouse cluster needs them: ON CLUSTER, Replicated and Distributed tables.
Five tables are sharded: `ledger` is a Distributed table over `ledger_local`, and so on. A tenant's day is on one
shard, so that a row meets its repeats and its window there. Every other table is whole on every node."""

import re

from outlay_kit.clickhouse import ClickHouseClient

_SHARDED = {
    "ledger": "cityHash64(tenant, toDate(time))",
    "rollup_minute": "cityHash64(tenant, toDate(window))",
    "rollup_hour": "cityHash64(tenant, toDate(window))",
    "rollup_day": "cityHash64(tenant, toDate(window))",
    "identities": "identity",
}
"""Table → sharding key."""
_CREATE = re.compile(
    r"CREATE (?P<kind>TABLE|MATERIALIZED VIEW) IF NOT EXISTS (?P<name>\w+)|CREATE OR REPLACE VIEW (?P<view>\w+)"
)
_FROM = re.compile(r"\bFROM (\w+)")
_ENGINE = re.compile(r"\bENGINE = (\w*MergeTree)(?:\((\w*)\))?")
_ALTER = re.compile(r"ALTER TABLE (\w+)")


def clustered(statement: str, cluster: str) -> list[str]:
    """Return what a statement of a migration is on `cluster`."""
    on = f" ON CLUSTER '{cluster}'"
    if found := _CREATE.match(statement):
        name = found["name"] or found["view"]
        rest = statement[found.end() :]
        source = _FROM.search(rest)
        if found["kind"] == "MATERIALIZED VIEW" and source and source[1] in _SHARDED:
            # It sees the rows of its shard, and writes them there.
            rest = re.sub(r"\b(TO|FROM) (\w+)", lambda m: f"{m[1]} {_local(m[2])}", rest)
        if found["kind"] != "TABLE":
            return [f"{found[0]}{on}{rest}"]
        rest = re.sub(r"^ AS (\w+)", lambda m: f" AS {_local(m[1])}", rest)
        rest = _ENGINE.sub(lambda m: _replicated(_local(name), m[1], m[2] or ""), rest)
        return [f"CREATE TABLE IF NOT EXISTS {_local(name)}{on}{rest}", *_front(name, cluster)]
    if found := _ALTER.match(statement):
        return [f"ALTER TABLE {_local(found[1])}{on}{statement[found.end() :]}", *_front(found[1], cluster)]
    if statement.startswith("RENAME TABLE"):
        return [statement + on]
    if statement.startswith("DROP TABLE"):
        return [f"{statement}{on} SYNC"]
    return [statement]


def cluster_of(clickhouse: ClickHouseClient) -> str | None:
    """Return the cluster that the tables are on, "" for those of one server, None without tables."""
    there = clickhouse.rows(
        "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'ledger'"
    )
    found = re.match(r"Distributed\('([^']+)'", there[0]["engine_full"]) if there else None
    return found[1] if found else "" if there else None


def changed(table: str, cluster: str | None) -> str:
    """Return how ALTER names a table whose rows it changes: a Distributed table takes no changes, its shards do."""
    return f"{_local(table)} ON CLUSTER '{cluster}'" if cluster else table


def _local(table: str) -> str:
    return f"{table}_local" if table in _SHARDED else table


def _replicated(table: str, engine: str, version: str) -> str:
    shard, replica = ("{shard}", "{replica}") if table.endswith("_local") else ("all", "{shard}-{replica}")
    arguments = [
        f"'/clickhouse/tables/{shard}/{{database}}/{table}'",
        f"'{replica}'",
        *([version] if version else []),
    ]
    return f"ENGINE = Replicated{engine}({', '.join(arguments)})"


def _front(table: str, cluster: str) -> list[str]:
    if table not in _SHARDED:
        return []
    engine = f"Distributed('{cluster}', currentDatabase(), '{table}_local', {_SHARDED[table]})"
    return [f"CREATE OR REPLACE TABLE {table} ON CLUSTER '{cluster}' AS {table}_local ENGINE = {engine}"]
