"""The interface on the wire: what any HTTP client sees."""

import gzip
import json
import socket
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import lz4.frame
import pytest
from backports import zstd
from tests.support.chdb_server import READER, WRITER, Server
from tests.support.waiting import until

pytestmark = pytest.mark.stack

Codec = Callable[[bytes], Any]


def code(answer: httpx.Response) -> int:
    return int(answer.headers.get("x-clickhouse-exception-code", "0"))


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("lz4", lz4.frame.compress),
        ("zstd", zstd.compress),
    ],
)
def test_a_compressed_body_is_unpacked(server: Server, encoding: str, pack: Codec) -> None:
    server.ask(f"CREATE TABLE packed_{encoding} (n UInt64) ENGINE = MergeTree ORDER BY n")
    table = {"param_t": f"packed_{encoding}"}
    lines = b"".join(b'{"n": %d}\n' % n for n in range(100_000))
    query = {"query": f"INSERT INTO packed_{encoding} FORMAT JSONEachRow"}
    sent = server.ask(pack(lines), params=query, headers={"Content-Encoding": encoding})
    assert sent.status_code == 200
    assert json.loads(sent.headers["x-clickhouse-summary"])["written_rows"] == "100000"
    assert server.ask("SELECT sum(n) FROM {t:Identifier}", params=table).text == f"{sum(range(100_000))}\n"

    cut = server.ask(pack(lines)[:-5], params=query, headers={"Content-Encoding": encoding})
    assert (cut.status_code, code(cut)) == (400, 89)
    garbage = server.ask(b"garbage", params=query, headers={"Content-Encoding": encoding})
    assert (garbage.status_code, code(garbage)) == (400, 89)
    assert server.ask("SELECT count() FROM {t:Identifier}", params=table).text == "100000\n"


def test_a_small_body_that_unpacks_to_much_is_refused(server: Server) -> None:
    bomb = gzip.compress(b" " * 200_000_000)
    answer = server.ask(bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, code(answer)) == (413, 223)


def test_a_body_over_the_limit_is_refused(server: Server) -> None:
    answer = server.ask(b"SELECT 1 --" + b" " * (8 * 2**20))
    assert (answer.status_code, code(answer)) == (413, 223)


@pytest.mark.parametrize(
    ("encoding", "unpack"),
    [
        ("gzip", gzip.decompress),
        ("deflate", zlib.decompress),
        ("lz4", lz4.frame.decompress),
        ("zstd", zstd.decompress),
    ],
)
@pytest.mark.parametrize("fmt", ["TSV", "JSON"])
def test_an_answer_is_compressed_where_it_was_asked_for(
    server: Server, encoding: str, unpack: Codec, fmt: str
) -> None:
    sql = "SELECT number FROM numbers(300000)"
    headers = {"Accept-Encoding": encoding, "X-ClickHouse-Format": fmt}
    plain = server.ask(sql, headers=headers)
    assert "content-encoding" not in plain.headers
    parameters = {"enable_http_compression": 1}
    with httpx.stream(
        "POST", server.url, content=sql, auth=WRITER, headers=headers, params=parameters
    ) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == encoding
    if fmt == "TSV":
        assert unpack(raw) == plain.content
    else:
        assert json.loads(unpack(raw))["data"] == plain.json()["data"]


def test_a_chunked_body_is_taken(server: Server) -> None:
    server.ask("CREATE TABLE chunked (n UInt64) ENGINE = MergeTree ORDER BY n")

    def body() -> Iterator[bytes]:
        yield b"INSERT INTO chunked FOR"
        yield b"MAT JSONEachRow\n"
        for n in range(1000):
            yield b'{"n": %d' % n
            yield b"}\n"

    assert httpx.post(server.url, content=body(), auth=WRITER).status_code == 200
    assert server.ask("SELECT count(), sum(n) FROM chunked").text == f"1000\t{sum(range(1000))}\n"


@pytest.mark.parametrize(
    "query", ["INSERT INTO binary FORMAT RowBinary", "INSERT INTO binary FORMAT RowBinary\n"]
)
def test_binary_rows_begin_right_after_the_query(server: Server, query: str) -> None:
    server.ask("CREATE TABLE IF NOT EXISTS binary (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
    row = (10).to_bytes(8, "little") + b"\x02\n\n"
    assert server.ask(row, params={"query": query}).status_code == 200
    assert server.ask("SELECT DISTINCT n, s FROM binary").text == "10\t\\n\\n\n"


def test_settings_in_an_insert_apply(server: Server) -> None:
    server.ask("CREATE TABLE lenient (n UInt64) ENGINE = MergeTree ORDER BY n")
    row = '{"n": 1, "unknown": 2}'
    skip = "input_format_skip_unknown_fields"
    for value, expected in (("0", 117), ("1", 0)):
        inline = f"INSERT INTO lenient SETTINGS {skip} = {value} FORMAT JSONEachRow {row}"
        assert code(server.ask(inline)) == expected
        beside = {skip: value, "query": "INSERT INTO lenient FORMAT JSONEachRow"}
        assert code(server.ask(row, params=beside)) == expected
    assert server.ask("SELECT count() FROM lenient").text == "2\n"


def test_rows_that_the_engine_refuses_are_never_acknowledged(server: Server) -> None:
    server.ask("CREATE TABLE strict (n UInt64, CONSTRAINT small CHECK n < 5) ENGINE = MergeTree ORDER BY n")
    server.ask("CREATE TABLE beside (n UInt64) ENGINE = MergeTree ORDER BY n")
    server.ask("CREATE MATERIALIZED VIEW view TO beside AS SELECT throwIf(n = 3) AS n FROM strict")
    insert = {"query": "INSERT INTO {t:Identifier} FORMAT JSONEachRow", "param_t": "strict"}
    assert code(server.ask('{"n": 7}', params=insert)) == 469
    assert code(server.ask('{"n": 3}', params=insert)) == 395
    assert code(server.ask('{"n": 1}', params=insert)) == 0
    assert code(server.ask("", params=insert)) == 0
    assert server.ask("SELECT count() FROM strict WHERE n != 3").text == "1\n"


def test_bound_parameters_come_in_the_address(server: Server) -> None:
    awkward = {"param_s": r"a\tb'", "param_n": r"\N"}
    answer = server.ask("SELECT {s:String}, {n:Nullable(String)}", params=awkward)
    assert answer.text == "a\\tb\\'\t\\N\n"


@pytest.mark.parametrize(
    ("headers", "params", "auth"),
    [
        ({"X-ClickHouse-User": WRITER[0], "X-ClickHouse-Key": WRITER[1]}, {}, None),
        ({}, {"user": WRITER[0], "password": WRITER[1]}, None),
        ({}, {}, WRITER),
    ],
)
def test_a_password_is_taken_in_three_ways(
    server: Server, headers: dict[str, str], params: dict[str, str], auth: tuple[str, str] | None
) -> None:
    def ask(headers: dict[str, str], params: dict[str, str], auth: tuple[str, str] | None) -> httpx.Response:
        return httpx.post(server.url, content="SELECT 1", headers=headers, params=params, auth=auth)

    assert ask(headers, params, auth).text == "1\n"
    wrong = {name: value + "x" for name, value in headers.items()}, {n: v + "x" for n, v in params.items()}
    refused = ask(*wrong, (auth[0], "guess") if auth else None)
    assert (refused.status_code, code(refused)) == (403, 516)
    assert "Authentication failed" in refused.text


def test_who_says_no_name_is_refused(server: Server) -> None:
    refused = httpx.post(server.url, content="SELECT 1")
    assert (refused.status_code, code(refused)) == (403, 516)
    assert httpx.get(server.url).text == "Ok.\n"
    assert httpx.get(f"{server.url}/elsewhere").status_code == 404


@pytest.mark.parametrize(
    ("sql", "status", "expected"),
    [
        ("SELECT * FROM nowhere", 404, 60),
        ("SELECT * FROM nowhere.t", 404, 81),
        ("SELEC 1", 400, 62),
        ("", 400, 62),
        ("SELECT 1; SELECT 2", 400, 62),
        ("SELECT 1; DROP TABLE x", 400, 62),
        ("SELECT nothing_of_the_kind(1)", 404, 46),
        ("SELECT throwIf(1)", 500, 395),
        ("SELECT 1 FORMAT Nope", 400, 73),
        ("SELECT 1 FORMAT DataFrame", 400, 73),
        ("SELECT 1 INTO OUTFILE '/tmp/outlay-test'", 500, 358),
        ("SELECT sleepEachRow(1) FROM numbers(3) SETTINGS max_execution_time = 1", 408, 159),
        (b"SELECT '\xff'", 400, 62),
    ],
)
def test_an_error_has_its_code_and_its_status(
    server: Server, sql: str | bytes, status: int, expected: int
) -> None:
    answer = server.ask(sql)
    assert (answer.status_code, code(answer)) == (status, expected)
    assert answer.text.startswith(f"Code: {expected}. DB::Exception: ")


def test_an_unknown_setting_is_an_error_and_a_known_one_holds_for_one_request(server: Server) -> None:
    assert code(server.ask("SELECT 1", params={"no_such_setting": "1"})) == 115
    assert code(server.ask("SELECT 1", params={"x = 1, y": "1"})) == 115
    asked = "SELECT getSetting('max_block_size')"
    assert server.ask(asked, params={"max_block_size": "7"}).text == "7\n"
    assert server.ask(asked).text != "7\n"
    server.ask("SET max_block_size = 7")
    assert server.ask(asked).text != "7\n"


def test_get_only_reads(server: Server) -> None:
    def get(sql: str) -> httpx.Response:
        return server.ask(b"", method="GET", params={"query": sql})

    assert get("SELECT 1").text == "1\n"
    refused = get("CREATE TABLE by_get (n UInt8) ENGINE = MergeTree ORDER BY n")
    assert code(refused) == 164
    assert "use POST" in refused.text
    assert code(get("INSERT INTO by_get FORMAT JSONEachRow {}")) == 164
    assert code(get("SET max_threads = 1")) == 164
    head = server.ask(b"", method="HEAD", params={"query": "SELECT 1"})
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO secret VALUES (1)", 164),
        ("INSERT INTO secret (n) FORMAT JSONEachRow {}", 164),
        ("DROP TABLE secret", 164),
        ("CREATE TABLE mine (n UInt8) ENGINE = Memory", 164),
        ("CREATE TEMPORARY TABLE mine (n UInt8)", 164),
        ("ALTER TABLE secret DELETE WHERE 1", 164),
        ("SYSTEM SHUTDOWN", 164),
        ("KILL QUERY WHERE 1", 164),
        ("SET readonly = 0", 164),
        ("SET ROLE writing", 164),
        ("SELECT 1 SETTINGS readonly = 0", 164),
        ("SELECT 1 SETTINGS max_memory_usage = 0", 164),
        ("SELECT file('/etc/passwd')", 497),
        ("SELECT `fil\\x65`('/etc/passwd')", 497),
        ("SELECT arrayMap(x -> file(x), ['/etc/passwd'])", 497),
        ("SELECT * FROM file('/etc/passwd', 'LineAsString')", 497),
        ("DESCRIBE TABLE file('/etc/passwd')", 497),
        ("SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')", 497),
        ("SELECT * FROM remote('127.0.0.1:1', system.one)", 497),
        ("SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')", 497),
        ("SELECT * FROM executable('id', 'LineAsString', 'a String')", 497),
        ("SELECT * FROM Python(sql)", 801),
        ("SELECT * FROM merge(REGEXP('.*'), 'x') UNION ALL SELECT file('/etc/passwd')", 497),
        ("SELEC 1", 62),
    ],
)
def test_a_reader_can_only_read(server: Server, sql: str, expected: int) -> None:
    server.ask("CREATE TABLE IF NOT EXISTS secret (n UInt8) ENGINE = MergeTree ORDER BY n")
    assert code(server.ask(sql, READER)) == expected
    assert server.ask("SELECT count() FROM secret", READER).text == "0\n"


def test_a_reader_changes_no_setting_by_the_address(server: Server) -> None:
    assert code(server.ask("SELECT 1", READER, params={"readonly": "0"})) == 164
    assert code(server.ask("SELECT 1", READER, params={"max_memory_usage": "0"})) == 164
    for sql in ("SHOW TABLES", "DESCRIBE TABLE system.one", "EXPLAIN SELECT 1", "WITH 1 AS x SELECT x"):
        assert server.ask(sql, READER).status_code == 200


def test_when_the_client_goes_the_query_ends(server: Server) -> None:
    sql = b"SELECT sum(cityHash64(number)) FROM numbers(1000000000000)"
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        head = f"POST /?user={WRITER[0]}&password={WRITER[1].replace(' ', '%20')} HTTP/1.1\r\nHost: x\r\n"
        client.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(sql) + sql)
        until(lambda: running(server) == 1)
    until(lambda: running(server) == 0)


def test_an_answer_that_is_not_read_to_its_end_ends_too(server: Server) -> None:
    endless = "SELECT number, 'cityHash64' FROM numbers(1000000000000)"
    with httpx.stream("POST", server.url, content=endless, auth=WRITER) as answer:
        pieces = answer.iter_raw()
        assert next(pieces)
        assert running(server) == 1
    until(lambda: running(server) == 0)


def running(server: Server) -> int:
    sql = "SELECT count() FROM system.processes WHERE query LIKE '%cityHash64%' AND query NOT LIKE '%processes%'"
    return int(server.ask(sql).text)


def test_a_query_that_fails_halfway_ends_without_an_end(server: Server) -> None:
    sql = "SELECT throwIf(number = 3000000) FROM numbers(10000000)"
    with httpx.stream("POST", server.url, content=sql, auth=WRITER) as answer:
        got: list[bytes] = []
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            got.extend(answer.iter_raw())
    tag = answer.headers["x-clickhouse-exception-tag"].encode()
    assert b"\r\n__exception__\r\n" + tag + b"\r\nCode: 395." in b"".join(got)


def test_an_answer_that_is_complete_ends_nothing(server: Server) -> None:
    """A statement whose answer ended is not looked for and killed: that took as long as most statements."""
    asked = 40

    def scans() -> int:
        """Return how often the list of running statements was read."""
        counted = "SELECT value FROM system.events WHERE event = 'SelectQuery'"
        return int(server.ask(counted).text)

    before = scans()
    for _ in range(asked):
        assert server.ask("SELECT 1").text == "1\n"
    assert scans() - before == asked + 1
