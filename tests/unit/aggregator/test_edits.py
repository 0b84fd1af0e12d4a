"""Edits of dead dead: jq's three that matter, with numbers that keep their digits."""

import json

import pytest

from outlay_aggregator.domain.edits import Edit, apply
from outlay_schemas.errors import Invalid

BODY = b'{"id":"1","usage":{"tokens":1.50},"tags":{"a.b":"c"},"n":12345678901234567890.123456789}'


def edited(*edits: Edit) -> object:
    return json.loads(apply(BODY, edits))


def test_without_edits_the_bytes_stay() -> None:
    assert apply(b"not even JSON", []) == b"not even JSON"


def test_set_delete_and_rename_in_order() -> None:
    found = edited(
        Edit.rename("usage.tokens=usage.input_tokens"),
        Edit.set("usage.input_tokens=5"),
        Edit.set("sku=gpt-5"),
        Edit.set('attributes={"region":"eu"}'),
        Edit.set("deep.er.still=null"),
        Edit.delete(r"tags.a\.b"),
        Edit.delete("nothing.there"),
        Edit.rename("no=where"),
    )
    assert found == {
        "id": "1", "usage": {"input_tokens": 5}, "tags": {}, "n": 12345678901234567890.123456789,
        "sku": "gpt-5", "attributes": {"region": "eu"}, "deep": {"er": {"still": None}},
    }  # fmt: skip


def test_numbers_keep_their_digits() -> None:
    changed = apply(BODY, [Edit.set("x=0.10000000000000000001"), Edit.delete("id")])
    assert b"12345678901234567890.123456789" in changed
    assert b"0.10000000000000000001" in changed
    assert b'"tokens":1.50' in changed


@pytest.mark.parametrize("text", ["=1", "a..b=1", "novalue", ".=1", "a.=1"])
def test_a_malformed_edit_is_reported(text: str) -> None:
    with pytest.raises(Invalid, match="edit_malformed"):
        Edit.set(text)


def test_what_cannot_be_edited_is_reported() -> None:
    with pytest.raises(Invalid, match="edit_misses"):
        apply(BODY, [Edit.set("id.x=1")])
    with pytest.raises(Invalid, match="edit_misses"):
        apply(b"[1]", [Edit.set("x=1")])
    with pytest.raises(Invalid, match="json_malformed"):
        apply(b"{", [Edit.set("x=1")])
