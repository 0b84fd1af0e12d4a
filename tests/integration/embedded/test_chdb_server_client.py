"""The interface through clients as they are: clickhouse-connect and our own ClickHouseClient."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from pydantic import SecretStr
from tests.support.chdb_server import READER, WRITER, Server

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.errors import Refused
from outlay_kit.settings import ClickHouseSettings

pytestmark = pytest.mark.stack

AWKWARD = "a\tb'c\\d\n\"ü`{}"


@pytest.mark.parametrize("compress", [True, False, "lz4", "zstd", "gzip"])
def test_native_rows_come_back_as_they_were_inserted(server: Server, compress: bool | str) -> None:
    client = server.client(compress=compress)
    table = f"native_{compress}"
    client.command(
        f"CREATE TABLE {table} (n UInt64, s String, m Map(String, Decimal(38, 12)), t DateTime64(3, 'UTC'))"
        " ENGINE = MergeTree ORDER BY n"
    )
    time = datetime(2026, 11, 24, 1, 2, 3, 123000, tzinfo=UTC)
    rows = [(n, AWKWARD, {"tokens": Decimal("0.000000000001")}, time) for n in range(1000)]
    summary = client.insert(table, rows, column_names=["n", "s", "m", "t"])
    assert summary.written_rows == 1000
    result = client.query("SELECT * FROM {t:Identifier} ORDER BY n", {"t": table}, tz_mode="aware")
    assert result.result_rows == rows
    client.close()


def test_json_lines_arrow_and_values_can_be_inserted(server: Server) -> None:
    client = server.client()
    client.command("CREATE TABLE formats (n UInt64, s String DEFAULT 'none') ENGINE = MergeTree ORDER BY n")
    client.raw_insert("formats", insert_block=b'{"n": 1}\n{"n": 2, "s": "two"}\n', fmt="JSONEachRow")
    client.insert_arrow("formats", pa.table({"n": pa.array([3], pa.uint64()), "s": ["three"]}))
    client.command("INSERT INTO formats VALUES (4, 'four')")
    client.command("INSERT INTO formats SELECT 5, 'five'")
    expected = [(1, "none"), (2, "two"), (3, "three"), (4, "four"), (5, "five")]
    assert client.query("SELECT * FROM formats ORDER BY n").result_rows == expected
    arrow = client.query_arrow("SELECT n FROM formats ORDER BY n")
    assert arrow.column("n").to_pylist() == [1, 2, 3, 4, 5]
    client.close()


def test_bound_parameters_arrive_whole(server: Server) -> None:
    client = server.client()
    client.command("CREATE TABLE bound (s String) ENGINE = MergeTree ORDER BY s")
    found = client.query(
        "SELECT {s:String}, {n:Nullable(String)}, {list:Array(String)}, {d:Decimal(38, 12)}, {t:DateTime('UTC')}",
        parameters={
            "s": AWKWARD,
            "n": None,
            "list": ["x'", "\\"],
            "d": Decimal("1.000000000001"),
            "t": datetime(2026, 11, 24, tzinfo=UTC),
        },
        tz_mode="aware",
    )
    time = datetime(2026, 11, 24, tzinfo=UTC)
    assert found.result_rows == [(AWKWARD, None, ["x'", "\\"], Decimal("1.000000000001"), time)]
    client.command("INSERT INTO bound SELECT {s:String}", parameters={"s": AWKWARD})
    assert client.query("SELECT s FROM bound").result_rows == [(AWKWARD,)]
    client.close()


def test_an_empty_answer_has_no_rows(server: Server) -> None:
    client = server.client()
    assert client.query("SELECT number FROM numbers(0)").result_rows == []
    client.close()


def test_a_query_that_fails_halfway_is_never_taken_for_whole(server: Server) -> None:
    client = server.client()
    with pytest.raises(StreamFailureError, match="throwIf"):
        _ = client.query("SELECT throwIf(number = 3000000) FROM numbers(10000000)").result_rows
    client.close()


def test_errors_carry_the_code_of_the_engine(server: Server) -> None:
    client = server.client()
    with pytest.raises(DatabaseError) as caught:
        client.query("SELECT * FROM nowhere")
    assert caught.value.code == 60
    with pytest.raises(DatabaseError) as caught:
        client.raw_insert("nowhere", insert_block=b"{}", fmt="JSONEachRow")
    assert caught.value.code == 60
    client.close()


def test_a_bad_row_fails_the_insert(server: Server) -> None:
    client = server.client()
    client.command("CREATE TABLE bad_row (n UInt64) ENGINE = MergeTree ORDER BY n")
    with pytest.raises(DatabaseError):
        client.raw_insert("bad_row", insert_block=b'{"n": 1}\n{"n": "x"}\n', fmt="JSONEachRow")
    assert client.command("SELECT count() FROM bad_row") == 0
    client.close()


def test_a_wrong_password_is_an_authentication_error(server: Server) -> None:
    with pytest.raises(DatabaseError, match="Authentication failed"):
        server.client(("outlay", "guess"))


def test_our_own_client_says_which_settings_to_check_when_it_is_refused(server: Server) -> None:
    settings = ClickHouseSettings(url=server.url, user="outlay", password=SecretStr("guess"))
    with pytest.raises(Refused) as caught:
        ClickHouseClient(settings).rows("SELECT 1")
    message = str(caught.value)
    assert f"ClickHouse at {server.url} refuses user 'outlay'" in message
    assert "Check OUTLAY_CLICKHOUSE_USER, OUTLAY_CLICKHOUSE_PASSWORD" in message
    assert "guess" not in message
    assert len(message.splitlines()) == 1


def test_our_own_client_reads_and_writes(server: Server) -> None:
    def clickhouse(user: tuple[str, str]) -> ClickHouseClient:
        return ClickHouseClient(
            ClickHouseSettings(url=server.url, user=user[0], password=SecretStr(user[1])), "ours"
        )

    first = ClickHouseClient(
        ClickHouseSettings(url=server.url, user=WRITER[0], password=SecretStr(WRITER[1])), ""
    )
    first.command("CREATE DATABASE ours")
    first.close()
    writer = clickhouse(WRITER)
    writer.command(
        "CREATE TABLE t (time DateTime64(3, 'UTC'), cost Decimal(38, 12)) ENGINE = MergeTree ORDER BY time"
    )
    writer.insert_json_lines("t", b'{"time": "2026-11-24T01:02:03.123Z", "cost": "0.000000000001"}\n')
    reader = clickhouse(READER)
    rows = reader.rows("SELECT * FROM t WHERE cost > {least:Decimal(38, 12)}", {"least": Decimal(0)})
    assert [row["cost"] for row in rows] == [Decimal("0.000000000001")]
    assert b"2026-11-24T01:02:03.123Z" in reader.raw("SELECT time FROM t")
    with pytest.raises(DatabaseError) as caught:
        reader.command("DROP TABLE t")
    assert caught.value.code in (164, 497)
    writer.close()
    reader.close()


def test_many_clients_work_at_once(server: Server) -> None:
    setup = server.client()
    setup.command("CREATE TABLE clients (client UInt32, n UInt32) ENGINE = MergeTree ORDER BY (client, n)")

    def work(number: int) -> int:
        client = server.client()
        for n in range(5):
            client.insert("clients", [(number, n)], column_names=["client", "n"])
            client.query("SELECT sum(n) FROM clients WHERE client = {c:UInt32}", parameters={"c": number})
        mine: int = client.command(
            "SELECT count() FROM clients WHERE client = {c:UInt32}", parameters={"c": number}
        )
        client.close()
        return mine

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(work, range(50))) == [5] * 50
    setup.close()
