"""Bound values that are too long for a URL: the stock client sends them in a form."""

import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.external import ExternalData
from tests.support.chdb_server import WRITER, Server

pytestmark = pytest.mark.stack

AWKWARD = "a\tb'c\\d\n\"ü`{}\r\n--x"


@pytest.mark.parametrize("compress", [True, False])
def test_long_lists_arrive_whole(server: Server, compress: bool) -> None:
    client = server.client(compress=compress)
    values = {"texts": [f"{AWKWARD}{n}" for n in range(500)], "numbers": list(range(5000))}
    sql = "SELECT {texts:Array(String)}, {numbers:Array(UInt32)}"
    assert client.query(sql, values).result_rows == [(values["texts"], values["numbers"])]
    assert client.raw_query("SELECT length({texts:Array(String)})", values, fmt="TSV") == b"500\n"
    client.close()


def test_an_insert_in_a_form_takes_its_rows(server: Server) -> None:
    server.ask("CREATE TABLE by_form (n UInt64) ENGINE = MergeTree ORDER BY n")
    fields = {"query": (None, 'INSERT INTO by_form FORMAT JSONEachRow {"n": 1}'), "param_x": (None, "1")}
    assert httpx.post(server.url, files=fields, auth=WRITER).status_code == 200
    assert server.ask("SELECT count() FROM by_form").text == "1\n"


def test_an_error_in_a_form_carries_the_code_of_the_engine(server: Server) -> None:
    client = server.client()
    with pytest.raises(DatabaseError) as caught:
        client.query("SELECT nothing + {numbers:Array(UInt32)}", {"numbers": list(range(5000))})
    assert caught.value.code == 47
    client.close()


def test_an_external_table_is_refused_and_not_dropped(server: Server) -> None:
    client = server.client()
    table = ExternalData(file_name="t", data=b"1\n", fmt="TSV", structure="n UInt8")
    with pytest.raises(DatabaseError) as caught:
        client.query("SELECT * FROM t", external_data=table)
    assert caught.value.code == 48
    client.close()
