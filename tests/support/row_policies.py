"""The engine with a user that has the grants and the row policy of docs/bi.md: `python policies.py FOLDER`.

A process of its own, for it may hold one data folder. chDB (the engine as a wheel) keeps no users that
statements make, but takes from its file of users the same grants and the same filters. Prints as JSON what the
user sees of each table and view.
"""

import json
import sys
from pathlib import Path
from xml.sax.saxutils import escape

import chdb

from outlay_kit.clock import SystemClock
from outlay_kit.migrator import migrations, statements

USERS = """<clickhouse><profiles><default/></profiles><quotas><default/></quotas>
<roles>
  <everything><grants><query>GRANT ALL ON *.*</query></grants></everything>
  <outlay_reader><grants><query>{grant}</query></grants></outlay_reader>
</roles>
<users><default><password/><networks><ip>::/0</ip></networks>
  <grants><query>GRANT everything</query><query>GRANT outlay_reader</query></grants>
  <databases><outlay>{filters}</outlay></databases>
</default></users></clickhouse>"""
CONFIG = """<clickhouse><users_config>{users}</users_config>
<user_directories><users_xml><path>{users}</path></users_xml></user_directories><timezone>UTC</timezone></clickhouse>"""
NOW = f"{SystemClock().now():%Y-%m-%d %H:%M}:00"
SPECIAL: dict[str, dict[str, object]] = {
    "conflicts": {"time": NOW},
    "dead_letters": {"at": NOW},
    "opportunities": {"evaluated_at": NOW},
    "ledger": {"id": "1", "source": "s", "minute": NOW, "time": NOW, "sku": "m", "cost": "1", "price_status": "priced"},
    **{f"rollup_{grain}": {"window": NOW, "version": 1, "groups": [{"sku": "m", "cost": "1", "events": 1}]}
       for grain in ("minute", "hour", "day")},
}  # fmt: skip


def start(folder: Path, asked: dict[str, object]) -> str:
    """Write the files of users and settings; return the address to connect to."""
    users, config = folder / "users.xml", folder / "config.xml"
    tables: dict[str, str] = asked["policies"]  # type: ignore[assignment]
    filters = "".join(f"<{name}><filter>{escape(using)}</filter></{name}>" for name, using in tables.items())
    users.write_text(USERS.format(grant=escape(str(asked["grant"])), filters=filters))
    config.write_text(CONFIG.format(users=users))
    return f"{folder / 'data'}?config-file={config}"


def fill(address: str, tables: list[str]) -> object:
    """Make the tables, and a row of each of two tenants in each; return the connection, to be kept."""
    engine = chdb.connect(address)
    engine.query("CREATE DATABASE outlay", "TSV")
    engine.query("USE outlay", "TSV")
    for _, _, sql in migrations():
        for statement in statements(sql):
            engine.query(statement, "TSV")
    for table in tables:
        rows: list[dict[str, object]] = [
            {"tenant": tenant, **SPECIAL.get(table, {})} for tenant in ("acme", "globex")
        ]
        data = " ".join(json.dumps(row) for row in rows)
        engine.query(f"INSERT INTO {table} FORMAT JSONEachRow {data}", "TSV")
    return engine


def main() -> None:
    folder = Path(sys.argv[1])
    asked = json.loads((folder / "asked.json").read_text())
    address = start(folder, asked)
    kept = fill(address, list(asked["policies"]))
    user = chdb.connect(address)
    for setting in ("SET ROLE outlay_reader", "SET readonly = 1"):
        user.query(setting, "TSV")
    seen: dict[str, object] = {}
    for query in asked["queries"]:
        try:
            seen[query] = str(user.query(query, "TSV")).split()
        except RuntimeError as error:
            seen[query] = str(error)
    user.close()
    made = chdb.connect(address)
    try:
        made.query("CREATE ROW POLICY p ON outlay.ledger USING 1 TO ALL", "TSV")
        seen["CREATE"] = "done"
    except RuntimeError as error:
        seen["CREATE"] = str(error)
    made.close()
    print(json.dumps(seen))  # noqa: T201
    del kept


if __name__ == "__main__":
    main()
