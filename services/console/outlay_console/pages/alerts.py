"""Alerts: the list of open and resolved ones, and one alert with its actions."""

import asyncio

from outlay_console.adapters.rollup_reader import OPEN
from outlay_console.domain.view import DIMENSIONS, View
from outlay_console.pages.request import MissingError, PageRequest
from outlay_console.templating import Context


async def alerts(request: PageRequest) -> Context:
    """Return open alerts, acknowledged ones, and resolved ones."""
    found, actions = await asyncio.gather(
        request.rollups.alerts(), request.rollups.alert_actions(request.now)
    )
    by_action: dict[str, set[str]] = {"acknowledged": set(), "expected": set()}
    for target, action in actions:
        by_action.setdefault(action, set()).add(target)
    firing = [(a, state) for a, state in found if state in OPEN and a.id not in by_action["expected"]]
    acknowledged = [a for a, state in firing if state == "acknowledged" or a.id in by_action["acknowledged"]]
    still_open = [a for a, _ in firing]
    return {
        "open": [a for a in still_open if a not in acknowledged],
        "acknowledged": acknowledged,
        "resolved": [a for a, _ in found if a not in still_open],
        "actions": actions,
    }


async def alert(request: PageRequest) -> Context:
    """Return one alert with its reason and its actions. Raises MissingError."""
    found, actions = await asyncio.gather(
        request.rollups.alert(request.path.get("id", "")), request.rollups.alert_actions(request.now)
    )
    if found is None:
        raise MissingError("This alert does not exist.")
    shown, state = found
    scope = {name: values for name, values in shown.scope_values.items() if name in DIMENSIONS}
    day = shown.window.astimezone(request.view.zone).date()
    keys = [
        (shown.id, "acknowledged"),
        (shown.id, "expected"),
        (shown.id, "snoozed"),
        (shown.rule, "snoozed"),
    ]
    return {
        "alert": shown,
        "state": state,
        "actions": [actions[key] for key in keys if key in actions],
        "over": state not in OPEN,
        "may": request.may,
        "look": View("custom", day, day, request.view.zone, request.view.by, scope),
    }
