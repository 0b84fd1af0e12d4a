"""What a channel must not see: values of dimensions, left out or told as a keyed hash, wherever they stand."""

import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Mapping

import msgspec

from outlay_schemas.alerts import Alert, Incident

HIDDEN = "(hidden)"


def redacted(alert: Alert, hidden: Collection[str], hashed: Collection[str], key: bytes) -> Alert:
    """Return an alert without the values of `hidden` dimensions, and with hashes for those of `hashed` ones.

    A value is replaced in the scope and among the contributors, and in every sentence that names it.
    """
    if not hidden and not hashed:
        return alert

    def instead(dimension: str, value: str) -> str:
        if not value:
            return value
        if dimension in hashed:
            return f"{dimension}-{hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:10]}"
        return HIDDEN if dimension in hidden else value

    words = {
        value: instead(dimension, value)
        for dimension, value in _values(alert)
        if value and instead(dimension, value) != value
    }
    clean = _cleaner(words)
    scope = {
        name: instead(name, value) if isinstance(value, str) else [instead(name, v) for v in value]
        for name, value in alert.scope.items()
    }
    contributors = [
        msgspec.structs.replace(c, value=instead(c.dimension, c.value))
        for c in alert.contributors
        if c.dimension not in hidden
    ]
    return msgspec.structs.replace(
        alert, incident=_hidden_parts(alert), scope=scope, contributors=contributors, title=clean(alert.title),
        summary=clean(alert.summary), query=clean(alert.query),
        facts={name: clean(value) for name, value in alert.facts.items()},
    )  # fmt: skip


def _hidden_parts(alert: Alert) -> Incident | None:
    """Return an incident whose parts are named by their rules: their titles name what this alert does not know."""
    if alert.incident is None:
        return None
    parts = [msgspec.structs.replace(part, title=part.rule) for part in alert.incident.parts]
    return msgspec.structs.replace(alert.incident, parts=parts)


def _values(alert: Alert) -> list[tuple[str, str]]:
    found = [(c.dimension, c.value) for c in alert.contributors]
    for name, value in alert.scope.items():
        found += [(name, value)] if isinstance(value, str) else [(name, one) for one in value]
    return found


def _cleaner(words: Mapping[str, str]) -> Callable[[str], str]:
    if not words:
        return lambda text: text
    longest = sorted(words, key=len, reverse=True)
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest)) + r")(?!\w)")
    return lambda text: pattern.sub(lambda found: words[found[0]], text)
