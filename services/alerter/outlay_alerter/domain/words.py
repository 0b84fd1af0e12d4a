"""What people say about alerts, and what the clock says: changes that need no new finding."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from outlay_alerter.domain.states import Known, Stored
from outlay_schemas.alerts import Word


@dataclass(frozen=True, slots=True)
class Heeded:
    """A change of an alert that somebody asked for, or that the end of its period brings."""

    known: Known
    state: Stored
    fact: tuple[str, str]
    """To be told with it."""


def heeded(
    words: Iterable[Word], known: Mapping[str, Known], now: datetime, rules: Container[str] | None = None
) -> list[Heeded]:
    """Return what is to change. Repeating it with its own outcome known returns nothing.

    `rules`: ids of those that there are; None: all that alerts name. What no rule looks at any more is over.
    """
    said = {(word.target, word.say): word for word in words}
    found: list[Heeded] = []
    for one in known.values():
        ack, expected = said.get((one.id, "acknowledged")), said.get((one.id, "expected"))
        if one.state not in ("pending", "firing", "acknowledged"):
            continue
        if expected is not None and (expected.until is None or expected.until > now):
            found.append(Heeded(one, "expected", ("expected", _why(expected))))
        elif rules is not None and one.rule not in rules:
            found.append(Heeded(one, "resolved", ("ended", "its rule is gone")))
        elif one.until is not None and one.until <= now:
            found.append(Heeded(one, "ended", ("ended", "its period is over")))
        elif one.state == "firing" and ack is not None and ack.at >= one.told_at:
            found.append(Heeded(one, "acknowledged", ("acknowledged", _why(ack))))
    return found


def snoozes(words: Iterable[Word]) -> dict[str, datetime]:
    """Return until when which alerts and rules are left alone."""
    return {word.target: word.until for word in words if word.say == "snoozed" and word.until}


def expectations(words: Iterable[Word], known: Mapping[str, Known]) -> dict[str, datetime | None]:
    """Return what is as it should be: alerts by their id and, where a time is named, all of the same line."""
    found: dict[str, datetime | None] = {}
    for word in words:
        if word.say == "expected":
            found[word.target] = word.until
            if word.until is not None and word.target in known:
                line = known[word.target].line
                found[line] = max(word.until, found.get(line) or word.until)
    return found


def _why(word: Word) -> str:
    said = [word.note, f"by {word.by}" if word.by else ""]
    return ", ".join(part for part in said if part) or f"said at {word.at:%Y-%m-%d %H:%M} UTC"
