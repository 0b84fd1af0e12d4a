"""What people write is one line, wherever they write it."""

from datetime import UTC, datetime

import pytest

from outlay_schemas.notes import LONGEST_LINE, line_of, new_note

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a\x00", "a\u2028b", "x" * (LONGEST_LINE + 1)])
def test_what_is_not_one_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="A reason is one line of at most 500 characters"):
        line_of(text, "reason")
    with pytest.raises(ValueError, match="A note is one line"):
        new_note(text, AT, "kim", "Kim")


def test_a_note_has_the_line_without_space_around_it_and_is_a_row() -> None:
    note = new_note("  new model ", AT, "kim", "Kim")
    assert note.row("acme", AT) == {
        "id": note.id, "at": AT, "text": "new model", "author": "kim", "author_name": "Kim",
        "tenant": "acme", "deleted": False, "written_at": AT,
    }  # fmt: skip
    assert note.row("acme", AT, deleted=True)["deleted"] is True
    assert len(note.id) == 32
    assert new_note("x" * LONGEST_LINE, AT, "kim", "Kim").id != note.id
    with pytest.raises(ValueError, match="Say in the note what happened"):
        new_note(" ", AT, "kim", "Kim")
