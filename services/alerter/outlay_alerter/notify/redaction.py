"""Redaction: hides or hashes the values of dimensions that a channel must not see, wherever they occur."""

import hashlib
import hmac
import re
from collections.abc import Collection

import msgspec

from outlay_schemas.alerts import Alert

HIDDEN = "(hidden)"


def redacted(alert: Alert, hidden: Collection[str], hashed: Collection[str], key: bytes) -> Alert:
    """Return an alert without the values of `hidden` dimensions, and with hashes for those of `hashed` ones.

    A value is replaced in the scope, among the contributors, and in every text that names it.
    """
    if not hidden and not hashed:
        return alert

    def shown(dimension: str, value: str) -> str:
        if value and dimension in hashed:
            return f"{dimension}-{hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:10]}"
        return HIDDEN if value and dimension in hidden else value

    values = [(c.dimension, c.value) for c in alert.contributors]
    values += [(name, value) for name, some in alert.scope_values.items() for value in some]
    replaced = {value: shown(name, value) for name, value in values if shown(name, value) != value}
    longest = sorted(map(re.escape, replaced), key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(longest)})(?!\w)" if longest else "(?!)")

    def clean(text: str) -> str:
        return pattern.sub(lambda found: replaced[found[0]], text)

    incident = alert.incident
    if incident is not None:  # the titles of other parts may name values that this alert does not know
        parts = [msgspec.structs.replace(part, title=part.rule) for part in incident.parts]
        incident = msgspec.structs.replace(incident, parts=parts)
    return msgspec.structs.replace(
        alert, incident=incident, title=clean(alert.title), summary=clean(alert.summary), query=clean(alert.query),
        scope={
            name: shown(name, value) if isinstance(value, str) else [shown(name, v) for v in value]
            for name, value in alert.scope.items()
        },
        contributors=[
            msgspec.structs.replace(c, value=shown(c.dimension, c.value))
            for c in alert.contributors
            if c.dimension not in hidden
        ],
        facts={name: clean(value) for name, value in alert.facts.items()},
    )  # fmt: skip
