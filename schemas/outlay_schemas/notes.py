"""What people write: lines of text, and notes on the console's charts, which are rows of `notes`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import uuid4

LONGEST_LINE = 500
"""Characters of a comment, a reason or a note."""


def line_of(text: str, what: str = "note") -> str:
    """Return a text that a person wrote, without the space around it. Raises ValueError: it is not one line of at most
    500 characters; `what` names it."""
    text = text.strip()
    if len(text) > LONGEST_LINE or not text.isprintable():
        raise ValueError(f"A {what} is one line of at most {LONGEST_LINE} characters.")
    return text


@dataclass(frozen=True)
class Note:
    """A dated note on charts."""

    id: str
    at: datetime
    text: str
    author: str
    author_name: str

    def row(self, tenant: str, now: datetime, *, deleted: bool = False) -> Mapping[str, object]:
        """Return the row of `notes` that says at `now` what it is."""
        return asdict(self) | {"tenant": tenant, "deleted": deleted, "written_at": now}


def new_note(text: str, at: datetime, author: str, author_name: str) -> Note:
    """Return a note that somebody writes about a moment. Raises ValueError."""
    line = line_of(text)
    if not line:
        raise ValueError("Say in the note what happened.")
    return Note(uuid4().hex, at, line, author, author_name)
