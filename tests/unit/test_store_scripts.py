"""The scripts for administrators: what deploy/kafka/acls grants, and the statements of deploy/clickhouse/users.sql."""

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import outlay_kit.kafka  # noqa: F401 (first: it imports kafka-python with its warnings taken care of)

from tests.support.secure import DIRECT, GRANTS, GROUP, TOPIC, Grant  # isort: skip

DEPLOY = Path(__file__).parents[2] / "deploy"
RECORDER = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["RECORD"], "a") as file:
    file.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + chr(10))
"""


def calls(folder: Path, **environment: str) -> list[list[str]]:
    """Run the script with tools that write down how they are called."""
    for name in ("kafka-acls.sh", "kafka-configs.sh"):
        (folder / name).write_text(RECORDER)
        (folder / name).chmod(0o755)
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "RECORD": str(folder / "record"), **environment}
    command = [str(DEPLOY / "kafka/acls"), "broker1:9093", "--command-config", "admin.properties"]
    subprocess.run(command, env=env, check=True)
    return [json.loads(line) for line in (folder / "record").read_text().splitlines()]


def test_the_script_grants_what_each_service_needs_and_no_more(tmp_path: Path) -> None:
    found: dict[str, set[Grant]] = {}
    for tool, *words in calls(tmp_path, TENANT="acme"):
        if tool != "kafka-acls.sh":
            continue
        given = dict(pairwise(words))
        assert given["--command-config"] == "admin.properties"
        kind = "--topic" if "--topic" in given else "--group"
        name = given[kind] + ("*" if given["--resource-pattern-type"] == "prefixed" else "")
        grant = (TOPIC if kind == "--topic" else GROUP, name, given["--operation"].upper())
        found.setdefault(given["--allow-principal"].removeprefix("User:"), set()).add(grant)
    assert {(kind, name, how) for kind, name, how in found.pop("keys")} == {
        (TOPIC, "keys.revocations", "WRITE")
    }
    assert {how for _, _, how in found.pop("catalog")} == {"READ", "WRITE"}
    assert found == {
        user: set(grants) for user, grants in GRANTS.items() if user not in DIRECT or user == "acme"
    }


def test_users_and_quotas_are_made_for_those_that_are_named(tmp_path: Path) -> None:
    made = calls(tmp_path, PASSWORD_INGEST="secret", TENANT="acme", BYTES_PER_SECOND="1000")
    configs = [words for words in made if words[0] == "kafka-configs.sh"]
    assert [(w[w.index("--entity-name") + 1], w[-1]) for w in configs] == [
        ("ingest", "SCRAM-SHA-512=[password=secret]"),
        ("acme", "producer_byte_rate=1000"),
    ]


def test_the_users_of_the_sql_script_are_those_of_the_files_for_docker() -> None:
    sql = (DEPLOY / "clickhouse/users.sql").read_text("utf-8")
    assert set(re.findall(r"CREATE USER IF NOT EXISTS (\w+)", sql)) == {"outlay", "reader", "console"}
    for file in ("reader", "console"):
        root = ET.parse(DEPLOY / f"clickhouse/{file}.xml").getroot()  # noqa: S314 (our own file)
        for query in root.iter("query"):
            assert f"{query.text} TO {file};" in sql
        for limit in root.findall("profiles/outlay_reader/*"):
            if limit.tag != "constraints":
                assert re.search(rf"{limit.tag} = {limit.text}\b", sql), limit.tag


def test_the_engine_parses_each_statement() -> None:
    chdb = pytest.importorskip("chdb")
    sql = re.sub(r"^--.*$", "", (DEPLOY / "clickhouse/users.sql").read_text("utf-8"), flags=re.MULTILINE)
    found = [part.strip() for part in sql.split(";") if part.strip()]
    assert len(found) > 10
    for statement in found:
        quoted = statement.replace("'", "\\'")
        assert str(chdb.query(f"SELECT formatQuery('{quoted}')")), statement
