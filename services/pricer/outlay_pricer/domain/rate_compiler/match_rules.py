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


_BEFORE = re.compile(
    r"(?:arn:aws[a-z-]*:bedrock:[^:]*:[^:]*:(?:foundation-model|inference-profile)/)?"
    r"(?:projects/[^/]+/locations/[^/]+/)?(?:[a-z0-9_.-]+/)*"
    r"(?:(?:us-gov|us|eu|apac|ap|jp|au|ca|in|sa|me|af|global)\.)?(?:[a-z0-9]+\.)?(?:omni-|text-)?"
)
_AFTER = re.compile(
    r"(?:e?\d+b(?:-it)?|\d*)(?:-(?:latest|preview|exp|\d{8}|\d{2,4}(?:-\d{2}){1,2}|\d{3,4}|\d{2}-\d{4})"
    r"|-?v\d+(?::\d+)?|:\d+|@(?:\d{3,8}|latest|default))*"
)
"""What providers write around a model's name without making it another model: paths, regions, dates, versions."""


def documented(clause: dict[str, Any], text: str) -> bool:
    """Tell whether a name that fits a clause is one that its provider documents: the whole name, but for notation.

    `claude-sonnet-4-5-20250929` is; `claude-sonnet-4-5-hyper` begins like a known model and may cost something else.
    """
    ((word, value),) = clause.items()
    if word in {"or", "and"}:
        return any(documented(part, text) for part in value)
    if word == "regex":
        found = re.search(value, text)
        return found is not None and (
            value.endswith("$") or _is_notation(text[: found.start()], text[found.end() :])
        )
    wanted = str(value).lower()
    if word == "equals" or wanted not in text:
        return text == wanted
    if wanted.startswith("ft:") or wanted.endswith("ft-"):
        return text.startswith(wanted)  # what follows is the customer's own name
    place = text.rindex(wanted) if word == "ends_with" else text.index(wanted)
    if word == "starts_with" and place:
        return False
    return _is_notation(text[:place], text[place + len(wanted) :])


def _is_notation(before: str, after: str) -> bool:
    return _BEFORE.fullmatch(before) is not None and _AFTER.fullmatch(after) is not None


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
