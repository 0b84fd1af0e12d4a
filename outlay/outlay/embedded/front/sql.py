"""The little that must be read of a query before the engine reads it."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<skip>\s+|--[^\n]*|\#![^\n]*|\#\s[^\n]*|/\*.*?\*/)
      | (?P<quoted>'(?:\\.|''|[^'\\])*'|"(?:\\.|""|[^"\\])*"|`(?:\\.|``|[^`\\])*`)
      | (?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
      | (?P<word>\w+)
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_READING = {"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "USE", "SET", "FROM", "("}
_HEAD_BYTES = 64 * 1024


class RefusedError(Exception):
    """A query that the interface itself refuses, with ClickHouse's error code."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {message} ({name})")
        self.code = code


@dataclass(frozen=True)
class Insert:
    """An INSERT whose rows follow in the body: `INSERT INTO t (a, b)`, the format, and where rows begin."""

    into: str
    format: str
    data_at: int


def check(query: str, readonly: bool) -> None:
    """Refuse what ClickHouse's HTTP interface refuses, and what the engine would let a reader do.

    Raises RefusedError.
    """
    first = ""
    ended = False
    for match in _TOKEN.finditer(query):
        kind = match.lastgroup
        if kind == "skip":
            continue
        text = match[0]
        if ended:
            raise RefusedError(62, "SYNTAX_ERROR", "Multi-statements are not allowed")
        first = first or text.upper()
        if text == ";":
            ended = True
        if kind == "word" and text.upper() in ("OUTFILE", "INFILE"):
            raise RefusedError(
                358,
                "INTO_OUTFILE_NOT_ALLOWED",
                f"{text.upper()} is not allowed over HTTP; read the answer instead",
            )
    if readonly and first not in _READING:
        raise RefusedError(164, "READONLY", f"Cannot execute {first or 'an empty'} query in readonly mode.")


def find_insert(head: bytes) -> Insert | None:
    """Find `INSERT INTO … FORMAT name` at the start of `head` (the query, or the query and its rows).

    Returns None if the query is no INSERT, or brings no rows of its own (VALUES, SELECT).
    """
    text = head[:_HEAD_BYTES].decode("utf-8", "surrogateescape")
    words = 0
    depth = 0
    format_at: int | None = None
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "skip":
            continue
        word = match[0].upper()
        words += 1
        if words == 1 and word != "INSERT":
            return None
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth:
            continue
        if format_at is not None:
            return Insert(text[:format_at].rstrip(), match[0], _rows_begin(text, match.end()))
        if word in ("VALUES", "SELECT", "WITH"):
            return None
        if word == "FORMAT":
            format_at = match.start()
    return None


def _rows_begin(text: str, at: int) -> int:
    """Rows begin after the format's name, blanks, at most one semicolon and one line end."""
    match = re.compile(r"[ \t]*;?[ \t]*(?:\r?\n)?").match(text, at)
    end = match.end() if match else at
    return len(text[:end].encode("utf-8", "surrogateescape"))
