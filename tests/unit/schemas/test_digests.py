"""The one hash of composite keys."""

from hashlib import sha256

import pytest

from outlay_schemas.digests import digest


def test_each_part_is_hashed_after_its_length() -> None:
    plain = sha256(b"\0\0\0\0\0\0\0\x02ab\0\0\0\0\0\0\0\x01c").hexdigest()[:32]
    assert digest(["ab", b"c"]) == plain
    short = sha256(b"\0\0\0\x02ab\0\0\0\x01c").hexdigest()[:32]
    assert digest(("ab", "c"), width=4) == short


@pytest.mark.parametrize("other", [("a", "bc"), ("abc",), ("ab", "c", ""), ("", "ab", "c"), ("c", "ab")])
def test_moving_a_border_changes_the_hash(other: tuple[str, ...]) -> None:
    assert digest(other) != digest(("ab", "c"))


def test_a_name_in_another_script_counts_its_bytes() -> None:
    assert digest(["ü"]) == digest(["ü".encode()]) != digest(["u"])
