"""Names with `*`, compiled once."""

import re
from collections.abc import Callable, Sequence

Test = Callable[[str], bool]


def name_test(patterns: Sequence[str]) -> Test | None:
    """Return a test for names that fit one of `patterns`, ignoring case; None if there are no patterns."""
    if not patterns:
        return None
    plain = frozenset(pattern.lower() for pattern in patterns if "*" not in pattern)
    wild = [pattern for pattern in patterns if "*" in pattern]
    if not wild:
        return lambda text: text.lower() in plain
    joined = "|".join(".*".join(map(re.escape, pattern.lower().split("*"))) for pattern in wild)
    fits = re.compile(joined, re.DOTALL).fullmatch
    return lambda text: text.lower() in plain or fits(text.lower()) is not None


def specificity(patterns: Sequence[str]) -> int:
    """Rank: none given, then patterns by how many letters they fix, then exact names."""
    if not patterns:
        return 0
    if all("*" not in pattern for pattern in patterns):
        return 10_000
    return 1 + min(len(pattern.replace("*", "")) for pattern in patterns)
