"""What the read-only user of the embedded engine tries in SQL: files and hosts, settings, other statements."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.chdb_server import READER, Server

pytestmark = pytest.mark.stack

MARK = "the-secret-of-this-machine"
_BUCKET = "'http://127.0.0.1:1/bucket/k'"
SOURCES = {
    "s3 gcs cosn oss hudi deltaLake deltaLakeS3 iceberg icebergS3 paimon paimonS3": _BUCKET,
    "azureBlobStorage deltaLakeAzure icebergAzure paimonAzure odbc jdbc": "'a', 'b', 'c'",
    "hdfs icebergHDFS paimonHDFS": "'hdfs://a/b'",
    "icebergLocal deltaLakeLocal paimonLocal filesystem": "'/etc'",
    "url": "'http://127.0.0.1:1/', 'LineAsString'",
    "remote remoteSecure": "'127.0.0.1:1', system.one",
    "mysql postgresql": "'127.0.0.1:1', 'a', 'b', 'c', 'd'",
    "ytsaurus": "'a', 'b', 'c', 'd'",
    "mongodb": "'127.0.0.1:1', 'a', 'b', 'c', 'd', 'x UInt8'",
    "redis": "'127.0.0.1:1', 'a', 'a UInt8'",
    "sqlite": "'/tmp/x', 't'",
    "executable": "'id', 'LineAsString', 'a String'",
    "bigquery": "'p', 'b', 'c', 'x'",
    "dictionary": "'x'",
    "loop": "system.one",
    "format": "LineAsString, 'a'",
    "viewExplain": "'EXPLAIN', '', (SELECT 1)",
    "file": "'/etc/passwd', 'LineAsString'",
}
"""Table functions that read from outside of the engine, or need a right that no reader has."""
NEED_A_CLUSTER = 701  # the engine has none, so there is nothing that they could reach
CLUSTERED = {"cluster": "'c', system.one", "clusterAllReplicas": "'c', system.one"}
UNAVAILABLE = {
    "python": ("'x'", 801),
    "arrowstream": ("'x'", 47),
    "eval": ("'SELECT 1'", 344),
    "input": ("'a UInt8'", 477),
}
INSIDE = {
    "SQLStandardValues", "fuzzJSON", "fuzzQuery", "generateRandom", "generateSeries", "generate_series", "merge",
    "mergeTreeAnalyzeIndexes", "mergeTreeAnalyzeIndexesUUID", "mergeTreeCodecBlockCounts", "mergeTreeIndex",
    "mergeTreeProjection", "mergeTreeTextIndex", "null", "numbers", "numbers_mt", "primes", "prometheusQuery",
    "prometheusQueryRange", "timeSeriesData", "timeSeriesMetricFamilies", "timeSeriesMetrics", "timeSeriesSamples",
    "timeSeriesSelector", "timeSeriesTags", "values", "view", "viewIfPermitted", "zeros", "zeros_mt",
}  # fmt: skip
"""Table functions that read tables of the engine, or make rows."""

FILE = [
    "SELECT file('{path}')", "SELECT file/**/('{path}')", "SELECT --\nfile('{path}')", "SELECT (file('{path}'))",
    "SELECT `file`('{path}')", "SELECT \"file\"('{path}')", "SELECT `fil\\x65`('{path}')",
    "SELECT \"\\x66ile\"('{path}')", "SELECT file($${path}$$)", "SELECT arrayMap(file, ['{path}'])",
    "SELECT arrayMap(x -> file(x), ['{path}'])", "SELECT arrayMap(`fil\\x65`, ['{path}'])",
    "SELECT * APPLY(file) FROM (SELECT '{path}' AS a)", "SELECT * APPLY file FROM (SELECT '{path}' AS a)",
    "SELECT * APPLY(x -> file(x)) FROM (SELECT '{path}' AS a)",
    "SELECT COLUMNS('a') APPLY `fil\\x65` FROM (SELECT '{path}' AS a)",
    "SELECT * REPLACE (file(a) AS a) FROM (SELECT '{path}' AS a)", "WITH file('{path}') AS x SELECT x",
    "SELECT 1 UNION ALL SELECT file('{path}')", "SELECT (SELECT file('{path}'))", "EXPLAIN SELECT file('{path}')",
    "SHOW TABLES WHERE file('{path}') != ''", "DESCRIBE (SELECT file('{path}'))",
    "SELECT * FROM view(SELECT file('{path}'))", "SELECT 'it''s' -- '\n, file('{path}') -- '",
]  # fmt: skip
"""Ways to call the function `file`, for which the engine asks no right."""
FILE_BY_PARAMETER = ["file", "fil\\x65", "`file`", "x.file", "\\x66ile"]


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("machine") / "secret.txt"
    path.write_text(MARK)
    return path


def code(answer: httpx.Response) -> int:
    return int(answer.headers.get("x-clickhouse-exception-code", 0))


def call(function: str, arguments: str) -> str:
    return f"SELECT * FROM {function}({arguments})"  # noqa: S608


def ask(server: Server, statements: Sequence[str], **options: Any) -> Iterator[tuple[str, httpx.Response]]:
    """Ask as the reader, several at once: a query that fails keeps its slot for a quarter of a second."""
    with ThreadPoolExecutor(6) as pool:
        yield from zip(
            statements, pool.map(lambda sql: server.ask(sql, READER, **options), statements), strict=True
        )


def test_the_mark_is_found_where_the_engine_reads_the_file(server: Server, marked: Path) -> None:
    """The control: the writer may, so each refusal below is one of the reader's."""
    assert server.ask(FILE[0].format(path=marked)).text.strip() == MARK
    assert server.ask(FILE[12].format(path=marked)).text.strip() == MARK


def test_no_spelling_of_the_function_file_reads_one(server: Server, marked: Path) -> None:
    for sql, answer in ask(server, [one.format(path=marked) for one in FILE]):
        assert MARK not in answer.text, sql
        assert code(answer) == 497, (sql, answer.text)


@pytest.mark.parametrize("name", FILE_BY_PARAMETER)
def test_no_parameter_names_the_function_file(server: Server, marked: Path, name: str) -> None:
    sql = f"SELECT arrayMap({{f:Identifier}}, ['{marked}'])"
    answer = server.ask(sql, READER, params={"param_f": name})
    assert MARK not in answer.text
    assert code(answer) in (497, 47)


@pytest.mark.parametrize(
    ("sql", "parameter", "expected"),
    [
        ("SELECT {x:String}, 'a\\\\b'", "1", "1\ta\\\\b\n"),
        ("SELECT replaceAll({x:String}, '\\\\', '/')", "a\\\\b", "a/b\n"),
        ("SELECT {x:String}, 'a file'", "file", "file\ta file\n"),
        ("SELECT {x:Identifier}, '\\\\' FROM system.one", "dummy", "0\t\\\\\n"),
        ("SELECT map('file', {x:String})['file'] AS profile", "1", "1\n"),
    ],
)
def test_a_reader_may_use_backslashes_parameters_and_the_word_in_texts(
    server: Server, sql: str, parameter: str, expected: str
) -> None:
    assert server.ask(sql, READER, params={"param_x": parameter}).text == expected


def test_no_table_function_reaches_a_file_a_host_or_a_program(server: Server) -> None:
    tried = {name: arguments for names, arguments in SOURCES.items() for name in names.split()}
    for sql, answer in ask(server, [call(name, arguments) for name, arguments in tried.items()]):
        assert code(answer) == 497 or sql.startswith("SELECT * FROM ytsaurus"), (sql, answer.text)
        assert answer.status_code != 200, sql
    for name, arguments in CLUSTERED.items():
        assert code(server.ask(call(name, arguments), READER)) == NEED_A_CLUSTER
    for name, (arguments, expected) in UNAVAILABLE.items():
        assert code(server.ask(call(name, arguments), READER)) == expected, name
    found = set(server.ask("SELECT name FROM system.table_functions").text.split())
    known = INSIDE | tried.keys() | CLUSTERED.keys() | UNAVAILABLE.keys()
    new = {name for name in found - known if not name.endswith("Cluster")}
    assert not new, "table functions of a new engine: try them, then add them to SOURCES or INSIDE"


REFUSED: Mapping[str, Sequence[int]] = {
    "SELECT * FROM system.users": (497,),
    "SELECT * FROM system.grants": (497,),
    "SHOW CREATE USER default": (497,),
    "SHOW ACCESS": (497,),
    "SELECT * FROM '/etc/passwd'": (497,),
    "SELECT * FROM `/etc/passwd`": (497,),
    "DESCRIBE `/etc/passwd`": (497,),
    "DESCRIBE url('http://127.0.0.1:1/')": (497,),
    "EXPLAIN SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')": (497,),
    "CHECK TABLE secret": (497, 60),
    "SELECT addressToLine(1)": (497,),
    "SELECT aiGenerate('x', map('credentials', 'x'))": (497,),
    "SELECT dictGet('x', 'y', 1)": (36,),
    "SELECT getClientHTTPHeader('authorization')": (446,),
    "SELECT 1; SELECT 2": (62,),
    "SELECT 1; DROP TABLE secret": (62,),
    "SELECT 1 PARALLEL WITH DROP TABLE secret": (62,),
    "SELECT 1 INTO OUTFILE '/tmp/outlay-x'": (358,),
    "SELECT 1 INTO/**/OUTFILE'/tmp/outlay-x'": (358,),
    "SELECT 1 INTO OUTFILE {f:String}": (358,),
    "SELECT 1 FORMAT Template SETTINGS format_template_row = '/etc/passwd'": (164,),
    "SELECT 1 FORMAT CapnProto SETTINGS format_schema = '/etc/passwd:x'": (164,),
    "SELECT 1 FORMAT DataFrame": (73,),
    "SELECT 1 FORMAT ArrowTable": (73,),
    "EXECUTE AS default SELECT 1": (164,),
    "BACKUP TABLE secret TO Disk('default', 'x')": (164,),
    "BEGIN TRANSACTION": (164,),
    "USE system": (164,),
}


def test_no_statement_leads_out_of_reading(server: Server) -> None:
    for sql, answer in ask(server, list(REFUSED)):
        assert code(answer) in REFUSED[sql], (sql, answer.text)
    assert not Path("/tmp/outlay-x").exists()  # noqa: S108


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("readonly", "0"), ("readonly", "2"), ("max_execution_time", "0"), ("max_result_rows", "0"),
        ("allow_experimental_eval_table_function", "1"), ("allow_get_client_http_header", "1"),
        ("format_template_row", "/etc/passwd"), ("format_schema", "/etc/passwd:x"),
    ],
)  # fmt: skip
def test_no_setting_is_changed_by_the_address(server: Server, parameter: str, value: str) -> None:
    assert code(server.ask("SELECT 1", READER, params={parameter: value})) == 164


@pytest.mark.parametrize(
    "parameter", ["role", "user", "session_id", "quota_key", "log_comment", "param_readonly"]
)
def test_no_parameter_makes_the_reader_another(server: Server, parameter: str) -> None:
    sql = "SELECT currentRoles(), getSetting('readonly')"
    assert server.ask(sql, READER, params={parameter: "writing"}).text == "['reading']\t1\n"


@pytest.mark.parametrize(
    "name",
    [
        "x`",
        "x\\`; CREATE TABLE by_name (n UInt8) ENGINE = Memory; --",
        "x``; SET ROLE writing; --",
        "\\",
        "x\\`",
    ],
)
def test_the_name_of_a_database_is_a_name(server: Server, name: str) -> None:
    answer = server.ask("SELECT 1", READER, params={"database": name})
    assert code(answer) == 81, answer.text
    assert server.ask("EXISTS DATABASE x").text == "0\n"
