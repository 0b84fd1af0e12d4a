"""The log of what administrators did: NDJSON, only ever appended, each line bound to the one before by its hash."""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

_CHUNK = 65_536
_FIRST = hashlib.sha256(b"").hexdigest()


class Entry(msgspec.Struct, frozen=True):
    """One thing that was done. `previous` is the SHA-256 of the line before, so that no line can be changed unseen."""

    at: datetime
    actor: str
    action: str
    subject: str
    details: Mapping[str, object]
    previous: str


class AuditError(Exception):
    """The log cannot be written or read, or a line of it was changed."""


class AuditLog:
    """An append-only log in one file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(
        self, actor: str, action: str, subject: str, details: Mapping[str, object], at: datetime
    ) -> None:
        """Write one line and see it on the disk. Raises AuditError: what was to be logged must not be done then."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                entry = Entry(at, actor, action, subject, dict(details), _hash(_last_line(file)))
                file.write(msgspec.json.encode(entry) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise AuditError(f"{self.path} cannot be written: {error}") from error

    def read(self) -> Iterator[Entry]:
        """Yield the entries. Raises AuditError at the first that is not bound to the one before."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise AuditError(f"{self.path} cannot be read: {error}") from error
        before = b""
        for number, line in enumerate(lines, 1):
            try:
                entry = msgspec.json.decode(line, type=Entry)
            except (msgspec.MsgspecError, ValueError) as error:
                raise AuditError(f"{self.path}: line {number} was changed: {error}") from None
            if entry.previous != _hash(before):
                raise AuditError(f"{self.path}: a line before line {number} was changed or taken out")
            before = line
            yield entry


def _last_line(file: BinaryIO) -> bytes:
    """Return the last line, without reading the lines before it, and leave the file at its end."""
    end = file.seek(0, os.SEEK_END)
    found = b""
    while end and b"\n" not in found.rstrip(b"\n"):
        start = max(0, end - _CHUNK)
        file.seek(start)
        found, end = file.read(end - start) + found, start
    file.seek(0, os.SEEK_END)
    return found.rstrip(b"\n").rpartition(b"\n")[2]


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest() if line else _FIRST
