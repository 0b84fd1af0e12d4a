"""What the server reads of a query, a body, a password and a user's limits before the engine sees them."""

import gzip
import json
import zlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import lz4.frame
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from outlay.embedded.chdb_server.codecs import EncodingError, Packer, Unpacker, choose
from outlay.embedded.chdb_server.sql import answer_format, find_insert, names_file_function, names_local_file
from outlay.embedded.chdb_server.users import (
    BACKGROUND,
    READER_LIMITS,
    User,
    Users,
    credentials,
    hash_password,
)

DEPLOY = Path(__file__).parents[4] / "deploy" / "clickhouse"


@pytest.mark.parametrize(
    ("text", "into", "settings", "fmt", "rows"),
    [
        (b"INSERT INTO t FORMAT CSV\n1,2", "INSERT INTO t ", "", "CSV", b"1,2"),
        (b"insert into t (a, b) format Native\n\n\x01", "insert into t (a, b) ", "", "Native", b"\n\x01"),
        (b"INSERT INTO t SETTINGS x = 1 FORMAT TSV 1", "INSERT INTO t ", "SETTINGS x = 1 ", "TSV", b"1"),
        (b"INSERT INTO settings FORMAT TSV\r\n1", "INSERT INTO settings ", "", "TSV", b"1"),
        (
            b"-- FORMAT x\nINSERT INTO `FORMAT` FORMAT TSV;\n1",
            "-- FORMAT x\nINSERT INTO `FORMAT` ",
            "",
            "TSV",
            b"1",
        ),
        (b"/* ' */ INSERT INTO t (`a'b`) FORMAT TSV", "/* ' */ INSERT INTO t (`a'b`) ", "", "TSV", b""),
    ],
)
def test_an_insert_is_separated_from_its_rows(
    text: bytes, into: str, settings: str, fmt: str, rows: bytes
) -> None:
    found = find_insert(text)
    assert found is not None
    assert (found.into, found.settings, found.format, text[found.data_at :]) == (into, settings, fmt, rows)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"SELECT 1 FORMAT CSV",
        b"INSERT INTO t VALUES (1) -- FORMAT CSV",
        b"INSERT INTO t SELECT 1 FORMAT CSV",
        b"INSERT INTO t WITH 1 AS x SELECT x FORMAT CSV",
        b"INSERT INTO t FROM INFILE 'x' FORMAT CSV",
        b"'INSERT INTO t FORMAT CSV'",
    ],
)
def test_what_brings_no_rows_of_its_own_is_left_whole(text: bytes) -> None:
    assert find_insert(text) is None


@given(st.binary(max_size=200))
def test_no_text_confuses_the_search(text: bytes) -> None:
    find_insert(text)
    found = find_insert(b"INSERT INTO t FORMAT TSV\n" + text)
    assert found is not None
    assert found.data_at == 25


def test_files_of_this_machine_are_noticed_where_they_are_meant() -> None:
    assert names_local_file("SELECT 1 INTO /* x */ OUTFILE 'x'")
    assert names_local_file("insert into t from infile 'x' format CSV")
    assert not names_local_file("SELECT 'INTO OUTFILE' -- OUTFILE")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", ("TabSeparated", True)),
        ("SELECT 1 FORMAT Native", ("Native", True)),
        ("SELECT 1 FORMAT JSON", ("JSON", False)),
        ("SELECT 1 FORMAT CSV SETTINGS max_threads = 1", ("CSV", True)),
        ("SELECT 'x FORMAT y'", ("TabSeparated", False)),  # not plain, so not in pieces
    ],
)
def test_the_format_of_an_answer(sql: str, expected: tuple[str, bool]) -> None:
    assert answer_format(sql, "TabSeparated") == expected


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("encoding", PACKERS)
@given(data=st.binary(max_size=5000), cut=st.integers(min_value=1, max_value=700))
def test_a_body_is_unpacked_however_it_is_cut(encoding: str, data: bytes, cut: int) -> None:
    twice = PACKERS[encoding](data) + PACKERS[encoding](data)
    unpacker = Unpacker(encoding)
    out = b"".join(piece for at in range(0, len(twice), cut) for piece in unpacker.feed(twice[at : at + cut]))
    unpacker.end()
    assert out == data * 2


@pytest.mark.parametrize("encoding", PACKERS)
def test_little_never_becomes_much_at_once(encoding: str) -> None:
    bomb = PACKERS[encoding](bytes(20_000_000))
    assert max(len(piece) for piece in Unpacker(encoding).feed(bomb)) <= 2**20


@pytest.mark.parametrize("encoding", PACKERS)
@given(pieces=st.lists(st.binary(max_size=500), min_size=1))
def test_an_answer_in_pieces_unpacks_to_the_answer(encoding: str, pieces: list[bytes]) -> None:
    packer, unpacker = Packer(encoding), Unpacker(encoding)
    packed = b"".join(map(packer.pack, pieces)) + packer.end()
    assert b"".join(unpacker.feed(packed)) == b"".join(pieces)
    unpacker.end()


def test_an_encoding_that_is_not_known_is_refused() -> None:
    with pytest.raises(EncodingError, match="gzip, deflate, lz4 or zstd"):
        Unpacker("br")
    assert choose("br, gzip;q=0.5, zstd") == "zstd"
    assert choose("br") == ""


def test_users_are_known_by_their_password() -> None:
    ann = User("ann", hash_password("secret"), readonly=True, at_once=3, settings={})
    users = Users({"ann": ann})
    assert users.authenticate("ann", "secret") == ann
    assert users.authenticate("ann", "") is None
    assert users.authenticate("bob", "secret") is None
    basic = b64encode(b"ann:se:cret").decode()
    assert credentials({"authorization": f"Basic {basic}"}, {}) == ("ann", "se:cret")
    assert credentials({"authorization": "Basic !"}, {"user": "ann"}) == ("", "")
    assert credentials({}, {}) == ("default", "")


def test_readers_have_the_same_limits_on_the_embedded_engine_and_on_a_server(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    users = {
        "outlay": {"password_sha256": hash_password("w"), "readonly": False},
        "console": {"password_sha256": hash_password("c"), "readonly": True, "background": False},
        "reader": {"password_sha256": hash_password("r"), "readonly": True},
    }
    file.write_text(json.dumps(users))
    found = Users.from_file(file)
    writer, console, reader = (found.authenticate(*pair) for pair in zip(users, "wcr", strict=True))
    assert writer
    assert console
    assert reader
    assert writer.settings == {}
    assert writer.at_once > console.at_once + reader.at_once
    assert console.settings == READER_LIMITS
    assert reader.settings == {**READER_LIMITS, **BACKGROUND}

    profile = ET.parse(DEPLOY / "reader.xml").find("profiles/outlay_reader")  # noqa: S314 (our own file)
    assert profile is not None
    server = {item.tag: int(item.text) for item in profile if item.text and item.text.strip()}
    assert server.items() >= READER_LIMITS.items()
    assert server["max_concurrent_queries_for_user"] > 0
    profiles = " ".join((DEPLOY.parents[1] / "docs" / "bi.md").read_text("utf-8").split())
    for name, limit in server.items():
        assert f"{name} = {limit}" in profiles, name


@pytest.mark.parametrize(
    ("canonical", "parameters", "named"),
    [
        ("SELECT * APPLY file FROM t", {}, True),
        ("SELECT file('x')", {}, True),
        ("SELECT `file`('x')", {}, True),
        ("SELECT 'a file', `it's file`, tags['file'], profile", {}, False),
        ("SELECT {x:String}", {"x": "file"}, False),
        ("SELECT arrayMap({f:Identifier}, [1])", {"f": "file"}, True),
        ("SELECT arrayMap({f:Identifier}, [1])", {"f": "fil\\x65"}, True),
        ("SELECT {f:Identifier} FROM t", {"f": "t.team"}, False),
    ],
)
def test_the_function_file_is_noticed_outside_of_texts(
    canonical: str, parameters: dict[str, str], named: bool
) -> None:
    assert names_file_function(canonical, parameters) is named
