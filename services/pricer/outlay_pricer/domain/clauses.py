"""The matching rules of the LLM price data, compiled from their JSON to functions.

`{"or": [{"equals": "gpt-5"}, {"starts_with": "gpt-5-"}]}` and so on. All but `regex` ignore case: they are asked about
text that is in lower case already, as everything is that the library matches.
"""

import re
from collections.abc import Callable
from typing import Any

Predicate = Callable[[str], bool]


def compile_clause(clause: dict[str, Any]) -> Predicate:
    """Make a function from a clause. Raises ValueError on a clause that is none."""
    ((word, value),) = clause.items()
    if word in {"or", "and"}:
        parts = [compile_clause(part) for part in value]
        if word == "or":
            return lambda text: any(part(text) for part in parts)
        return lambda text: all(part(text) for part in parts)
    if word == "regex":
        search = re.compile(value).search
        return lambda text: search(text) is not None
    wanted = str(value).lower()
    simple: dict[str, Predicate] = {
        "equals": lambda text: text == wanted,
        "starts_with": lambda text: text.startswith(wanted),
        "ends_with": lambda text: text.endswith(wanted),
        "contains": lambda text: wanted in text,
    }
    if word not in simple:
        raise ValueError(f"unknown matching rule {word!r}")
    return simple[word]


def split_equals(clause: dict[str, Any]) -> tuple[list[str], list[dict[str, Any]]]:
    """Take a clause apart into the exact names that it matches (lower-case) and alternatives that need a test."""
    ((word, value),) = clause.items()
    if word == "equals":
        return [str(value).lower()], []
    if word != "or":
        return [], [clause]
    names: list[str] = []
    rest: list[dict[str, Any]] = []
    for part in value:
        more_names, more_rest = split_equals(part)
        names += more_names
        rest += more_rest
    return names, rest
