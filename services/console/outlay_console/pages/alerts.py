"""Alerts: the list of incidents, and one incident with its actions."""

import asyncio
from collections.abc import Mapping
from functools import partial

from starlette.exceptions import HTTPException

from outlay_console.pages.request import Context, PageRequest
from outlay_reports.explore_links import explore_path
from outlay_reports.incidents import Incident
from outlay_schemas.alerts import AlertAction

Actions = Mapping[tuple[str, str], AlertAction]


async def alerts(request: PageRequest) -> Context:
    """Return open incidents, acknowledged ones, and resolved ones."""
    found, actions = await asyncio.gather(
        request.rollups.incidents(), request.rollups.alert_actions(request.now)
    )
    still_open = [one for one in found if one.open and not actions_on(one, actions, "expected")]
    acknowledged = [
        one for one in still_open if one.state == "acknowledged" or actions_on(one, actions, "acknowledged")
    ]
    return {
        "open": [one for one in still_open if one not in acknowledged],
        "acknowledged": acknowledged,
        "resolved": [one for one in found if one not in still_open],
        "taken": {one.id: actions_on(one, actions, "acknowledged", "snoozed") for one in found},
    }


async def alert(request: PageRequest) -> Context:
    """Return the incident of an alert with its reason and its actions. Raises HTTPException 404."""
    found, actions = await asyncio.gather(
        request.rollups.incident(request.path.get("id", "")), request.rollups.alert_actions(request.now)
    )
    if found is None:
        raise HTTPException(404, "This alert does not exist.")
    main, zone = found.main, request.view.zone
    return {
        "alert": main,
        "text": found.text,
        "when": found.text.when(lambda at: f"{at.astimezone(zone):%Y-%m-%d %H:%M}"),
        "id": found.id,
        "state": found.state,
        "actions": actions_on(found, actions, "acknowledged", "expected", "snoozed"),
        "over": not found.open,
        "may": request.may,
        "explore": partial(explore_path, main, zone),
    }


def actions_on(incident: Incident, actions: Actions, *kinds: str) -> list[AlertAction]:
    """Return the actions of some kinds on an incident, on one of its alerts, or on the rule of its worst alert."""
    targets = dict.fromkeys([incident.id, *(part.id for part in incident.alerts), incident.main.rule])
    return [actions[target, kind] for kind in kinds for target in targets if (target, kind) in actions]
