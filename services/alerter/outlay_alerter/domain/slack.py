"""How alerts look in Slack: Block Kit, within its limits. Pure, so that golden files hold it.

Limits (docs.slack.dev): 50 blocks, 150 characters of a header, 3000 of a section, 10 fields of 2000; and
in all near 13,200 characters, which is not documented (`msg_blocks_too_long`).
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from outlay_alerter.domain.money import usd
from outlay_schemas.alerts import Alert

Block = dict[str, object]

_HEADER, _SECTION, _FIELD, _TEXT = 150, 3000, 400, 3000
"""Characters; a field is kept shorter than it may be, for ten of them must fit the whole."""
_LINE = 280
_SHOWN = 25
"""Alerts of a group that get a line; the rest is counted."""
_MARKS = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":large_blue_circle:"}
_RANK = {"critical": 0, "warning": 1, "info": 2}


def message(alerts: Sequence[Alert]) -> dict[str, object]:
    """Return the body for an incoming webhook: one alert in full, or many as one list."""
    if len(alerts) == 1:
        return {"text": _cut(_plain(alerts[0]), _TEXT), "blocks": list(_one(alerts[0]))}
    return {"text": _cut(_headline(alerts), _TEXT), "blocks": list(_many(alerts))}


def _one(alert: Alert) -> Iterator[Block]:
    yield _header(f"{_mark(alert)} {alert.title}")
    yield _section(escape(alert.summary))
    yield {
        "type": "section",
        "fields": [_mrkdwn(f"*{escape(k)}*\n{escape(v)}", _FIELD) for k, v in _figures(alert)],
    }
    if alert.effects:
        parts = " · ".join(f"{effect.kind} {_signed(effect.cost)}" for effect in alert.effects)
        yield _section(f"*Why, against {escape(alert.compared)}*\n{parts}")
    if most := list(_contributors(alert)):
        yield _section("*Most of it*\n" + "\n".join(most))
    if alert.link:
        button = {
            "type": "button",
            "text": {"type": "plain_text", "text": "Open in Outlay"},
            "url": alert.link,
        }
        yield {"type": "actions", "elements": [button]}
    yield {
        "type": "context",
        "elements": [_mrkdwn(escape(f"{alert.tenant} · {alert.rule} · {alert.id}"), _FIELD)],
    }


def _figures(alert: Alert) -> Iterator[tuple[str, str]]:
    yield "Actual", _amount(alert, alert.actual)
    if alert.expected is not None:
        yield "Expected", _amount(alert, alert.expected)
    if alert.impact is not None:
        hourly = f", {usd(alert.impact_per_hour)} an hour" if alert.impact_per_hour is not None else ""
        yield "Impact so far", usd(alert.impact) + hourly
    yield "Scope", _scope(alert) or "everything"
    yield "Window", f"from {alert.window:%Y-%m-%d %H:%M} UTC"
    for name, value in list(alert.facts.items())[:5]:
        yield name.replace("_", " ").capitalize(), value


def _contributors(alert: Alert) -> Iterator[str]:
    by_dimension: dict[str, list[str]] = {}
    for c in alert.contributors:
        by_dimension.setdefault(c.dimension, []).append(f"{_cut(c.value or '(none)', 60)} {usd(c.cost)}")
    for dimension, values in by_dimension.items():
        if any(not value.startswith("(none) ") for value in values):
            yield escape(f"{dimension.replace('_', ' ')}: {', '.join(values)}")


def _many(alerts: Sequence[Alert]) -> Iterator[Block]:
    yield _header(f"{_MARKS[_worst(alerts)]} {_headline(alerts)}")
    ordered = sorted(alerts, key=_order)
    text = ""
    for alert in ordered[:_SHOWN]:
        line = f"{_mark(alert)} {_cut(escape(alert.title), _LINE)}\n"
        if len(text) + len(line) > _SECTION:
            yield _section(text.rstrip())
            text = ""
        text += line
    yield _section(text.rstrip())
    if len(ordered) > _SHOWN:
        rest = sum((Decimal(a.actual) for a in ordered[_SHOWN:] if a.unit == "USD"), Decimal(0))
        yield _section(f"and {len(ordered) - _SHOWN:,} more, at {usd(rest)} together")
    yield {
        "type": "context",
        "elements": [_mrkdwn(escape(f"{alerts[0].tenant} · outlay alerts list"), _FIELD)],
    }


def _order(alert: Alert) -> tuple[bool, int, Decimal, str]:
    return alert.state == "resolved", _RANK[alert.severity], -Decimal(alert.actual), alert.id


def _headline(alerts: Sequence[Alert]) -> str:
    firing = sum(alert.state == "firing" for alert in alerts)
    rules = sorted({alert.rule for alert in alerts})
    of = rules[0] if len(rules) == 1 else f"{len(rules)} rules"
    return f"{len(alerts):,} alerts of {of}: {firing:,} firing, {len(alerts) - firing:,} not"


def _plain(alert: Alert) -> str:
    return escape(f"{alert.state.capitalize()}: {alert.title}. {alert.summary}")


def _worst(alerts: Sequence[Alert]) -> str:
    return min((alert.severity for alert in alerts), key=_RANK.__getitem__)


def _mark(alert: Alert) -> str:
    if alert.state == "resolved":
        return ":white_check_mark:"
    return ":eyes:" if alert.state == "acknowledged" else _MARKS[alert.severity]


def _scope(alert: Alert) -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else ' or '.join(value)}"
        for name, value in alert.scope.items()
    )


def _amount(alert: Alert, value: str) -> str:
    return usd(value) if alert.unit == "USD" else f"{Decimal(value):,f} {alert.unit}"


def _signed(value: str) -> str:
    return ("" if value.startswith("-") else "+") + usd(value)


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": _cut(text, _HEADER), "emoji": True}}


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text or "…", _SECTION)}


def _mrkdwn(text: str, most: int) -> Block:
    return {"type": "mrkdwn", "text": _cut(text, most)}


def escape(text: str) -> str:
    """Make text harmless: what is between < and > would be a link or call a whole channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, most: int) -> str:
    """Shorten to `most` characters, never in the middle of an escaped one."""
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    ampersand = kept.rfind("&", max(0, len(kept) - 5))
    if ampersand >= 0 and ";" not in kept[ampersand:]:
        kept = kept[:ampersand]
    return kept + "…"
