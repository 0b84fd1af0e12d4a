"""The little that must be read of a query before the engine reads it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<skip>\s+|--[^\n]*|\#![^\n]*|\#\s[^\n]*|/\*.*?\*/)
      | (?P<quoted>'(?:\\.|''|[^'\\])*'|"(?:\\.|""|[^"\\])*"|`(?:\\.|``|[^`\\])*`)
      | (?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
      | (?P<word>\w+)
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_AFTER_FORMAT = re.compile(r"[ \t]*;?[ \t]*(?:\r?\n)?")
_SETTINGS = re.compile(r"SETTINGS\s+\w+\s*=", re.IGNORECASE)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*(?:SETTINGS\s[^;]*)?;?\s*\Z", re.IGNORECASE)
_IDENTIFIER_PARAMETER = re.compile(r"\{\s*(\w+)\s*:\s*Identifier\s*\}")
_PLAIN = re.compile(r"[\w.]*")
_ANY_FORMAT = re.compile(r"\bFORMAT\b", re.IGNORECASE)
_STREAMABLE = {"Native", "JSONEachRow", "JSONCompactEachRow", "RowBinary", "TabSeparated", "TSV", "CSV"}
HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class Insert:
    """An INSERT whose rows follow: its start up to SETTINGS or FORMAT, both of these, and the byte where rows begin."""

    into: str
    settings: str
    format: str
    data_at: int

    def reading(self, file: str) -> str:
        """Return the statement that takes its rows from a file."""
        return f"{self.into} FROM INFILE '{file}' COMPRESSION 'none' {self.settings} FORMAT {self.format}"


def find_insert(head: bytes) -> Insert | None:
    """Find `INSERT INTO … FORMAT name` at the start of `head` (the query, or the query and its rows).
    Returns None if the query is not an INSERT, or brings no rows of its own (VALUES, SELECT)."""
    text = head[:HEAD_BYTES].decode("utf-8", "surrogateescape")
    if not text.lstrip(" \t\r\n-#/(")[:1]:
        return None
    words = depth = 0
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
            at = _settings_begin(text[:format_at])
            return Insert(text[:at], text[at:format_at], match[0], _rows_begin(text, match.end()))
        if word in ("VALUES", "SELECT", "WITH", "INFILE"):
            return None
        if word == "FORMAT":
            format_at = match.start()
    return None


def _settings_begin(statement: str) -> int:
    """Return where SETTINGS stands, else the end: the engine takes FROM INFILE only before it."""
    for match in _TOKEN.finditer(statement):
        if match.lastgroup == "word" and _SETTINGS.match(statement, match.start()):
            return match.start()
    return len(statement)


def _rows_begin(text: str, at: int) -> int:
    """Rows begin after the format's name, blanks, at most one semicolon and one line end."""
    match = _AFTER_FORMAT.match(text, at)
    end = match.end() if match else at
    return len(text[:end].encode("utf-8", "surrogateescape"))


def names_local_file(sql: str) -> bool:
    """Tell whether a statement asks for a file of the server's machine: INTO OUTFILE, FROM INFILE."""
    if "FILE" not in sql.upper():
        return False
    words = (match[0].upper() for match in _TOKEN.finditer(sql) if match.lastgroup == "word")
    return any(word in ("OUTFILE", "INFILE") for word in words)


def names_file_function(canonical: str, parameters: Mapping[str, str]) -> bool:
    """Tell whether a statement, as the engine writes it, names `file` outside of a text, or lets a parameter name it:
    a parameter of the type Identifier may hold a plain name only."""
    names = {
        m[0].strip('`"')
        for m in _TOKEN.finditer(canonical)
        if m.lastgroup in ("word", "quoted") and m[0][0] != "'"
    }
    given = [parameters.get(name, "") for name in _IDENTIFIER_PARAMETER.findall(canonical)]
    return "file" in names or any(not _PLAIN.fullmatch(one) or "file" in one.split(".") for one in given)


def answer_format(sql: str, default: str) -> tuple[str, bool]:
    """Return the format of the answer, and whether its pieces may be sent one by one: not where the engine's choice is
    unclear, as some formats have a head and a foot."""
    mentions = len(_ANY_FORMAT.findall(sql))
    found = _FORMAT.search(sql)
    name = found[1] if found else default
    plain = mentions == (1 if found else 0)
    return name, plain and name in _STREAMABLE
