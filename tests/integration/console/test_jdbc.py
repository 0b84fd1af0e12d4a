"""ClickHouse's JDBC driver, as BI tools on the JVM use it: docs/bi.md's address, views and decimals.

SQLLine asks, so that no compiler is needed: the Java that runs Kafka is enough.
"""

import csv
import re
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.console_rig import Rig

from outlay.embedded.jars import Jar, fetched
from outlay.embedded.kafka import find_java
from outlay.embedded.progress import Silent
from outlay_kit.settings import ClickHouseSettings

pytestmark = pytest.mark.stack

PAGE = (Path(__file__).parents[3] / "docs/bi.md").read_text("utf-8")
DRIVER = Jar(
    "db2e43b69531b0157b33217a85459771908838c0991e212e24e32b0ecbb6ee98",
    11_982_089,
    "com/clickhouse/clickhouse-jdbc/0.9.4/clickhouse-jdbc-0.9.4-all.jar",
)
LOGGING = Jar(
    "5d6298b93a1905c32cda6478808ac14c2d4a47e91535e53c41f7feeb85d946f4",
    63_635,
    "org/slf4j/slf4j-api/2.0.7/slf4j-api-2.0.7.jar",
)
SQLLINE = Jar(
    "95106610c9e859e5ba0719139878f143107c5c2ef32dd613edebe6ca20c09077",
    3_127_944,
    "sqlline/sqlline/1.12.0/sqlline-1.12.0-jar-with-dependencies.jar",
)


def ask(reader: ClickHouseSettings, *commands: str) -> list[list[str]]:
    """Return the rows, headers too, that the driver reads by the address of docs/bi.md."""
    address = re.search(r"`(jdbc:clickhouse:)http://127\.0\.0\.1:8123/outlay(\S*)`", PAGE)
    driver = re.search(r"class\s+`([\w.]+)`", PAGE)
    assert address
    assert driver
    jars = fetched([DRIVER, LOGGING, SQLLINE], "JDBC 0.9.4", Silent())
    answer = subprocess.run(
        [
            *(find_java(), "-cp", ":".join(map(str, jars)), "sqlline.SqlLine", "-d", driver[1]),
            *("-u", f"{address[1]}{reader.url}/{reader.database}{address[2]}"),
            *("-n", reader.user, "-p", reader.password.get_secret_value()),
            *("--silent=true", "--outputformat=csv", "--numberFormat=default"),
            *(part for command in commands for part in ("-e", command)),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return list(csv.reader(answer.stdout.splitlines(), quotechar="'"))


def test_the_driver_reads_a_view_to_the_last_decimal(rig: Rig) -> None:
    rows = ask(
        rig.dependencies.settings.clickhouse,
        "SELECT team, sum(cost) AS usd FROM costs_daily WHERE tenant = 'acme' GROUP BY team ORDER BY team",
    )
    assert rows[0] == ["team", "usd"]
    expected: dict[str, Decimal] = {}
    for event in rig.events:
        expected[event.team] = expected.get(event.team, Decimal(0)) + Decimal(event.cost or 0)
    assert {team: Decimal(usd) for team, usd in rows[1:]} == expected


def test_the_driver_reads_maps_and_times_and_lists_the_views(rig: Rig) -> None:
    rows = ask(
        rig.dependencies.settings.clickhouse,
        "SELECT time, usage FROM costs_daily WHERE tenant = 'acme' ORDER BY time LIMIT 1",
        "!tables",
    )
    assert rows[0] == ["time", "usage"]
    assert re.match(r"\d{4}-\d{2}-\d{2}", rows[1][0])
    assert "tokens" in rows[1][1]
    named = {row[2] for row in rows[2:] if len(row) > 2}
    assert {"costs", "costs_minutely", "costs_hourly", "costs_daily"} <= named


def test_the_driver_learns_that_the_reader_cannot_write(rig: Rig) -> None:
    with pytest.raises(AssertionError, match=r"(?i)readonly|privileges"):
        ask(rig.dependencies.settings.clickhouse, "INSERT INTO dead_letters (id) VALUES ('x')")
