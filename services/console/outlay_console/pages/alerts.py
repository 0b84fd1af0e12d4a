"""Alerts: the list of incidents, and one incident with its actions."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from starlette.exceptions import HTTPException

from outlay_console.domain.view import ViewError
from outlay_console.pages.charts import chart_of
from outlay_console.pages.request import Context, PageRequest
from outlay_reports.explore_links import explore_path
from outlay_reports.incident_timeline import timeline
from outlay_reports.incidents import Incident
from outlay_reports.periods import moment_text
from outlay_schemas.alerts import AlertAction

Actions = Mapping[tuple[str, str], AlertAction]


async def alerts(request: PageRequest) -> Context:
    """Return open incidents, acknowledged ones, and resolved ones, as far as the filters leave them."""
    (every, left_out), actions = await asyncio.gather(
        request.rollups.alerts(), request.rollups.alert_actions(request.now)
    )
    chosen = {name: request.params.get(name, "") for name in (*_FILTERS, "within", "group")}
    days = int(chosen["within"]) if chosen["within"] in _DAYS else 0
    found = [
        one
        for one in every
        if all(not chosen[name] or chosen[name] in of(one) for name, of in _FILTERS.items())
        and (not days or _newest(one) >= request.now - timedelta(days=days))
    ]
    still_open = [one for one in found if one.open and not actions_on(one, actions, "expected")]
    acknowledged = [
        one for one in still_open if one.state == "acknowledged" or actions_on(one, actions, "acknowledged")
    ]
    return {
        "every": len(every),
        "left_out": left_out,
        "chosen": chosen,
        "choices": {
            name: sorted({value for one in every for value in of(one)}) for name, of in _FILTERS.items()
        },
        "days": _DAYS,
        "grouped": [*_FILTERS],
        "groups": _grouped(found, _FILTERS.get(chosen["group"])),
        "may": request.may,
        "open": [one for one in still_open if one not in acknowledged],
        "acknowledged": acknowledged,
        "resolved": [one for one in found if one not in still_open],
        "taken": {one.id: actions_on(one, actions, "acknowledged", "snoozed") for one in found},
    }


def _newest(incident: Incident) -> datetime:
    return max(part.at for part in incident.alerts)


_FILTERS: Mapping[str, Callable[[Incident], tuple[str, ...]]] = {
    "severity": lambda one: (one.main.incident_severity,),
    "rule": lambda one: (one.main.rule,),
    "team": lambda one: tuple(one.main.scope_values.get("team", ())),
}
"""What incidents are filtered and grouped by, beside time: name in an address, to the values of an incident."""
_DAYS = {"1": "24 hours", "7": "7 days", "30": "30 days"}
"""Days back, as in an address, to what people call it."""


def _grouped(
    found: Sequence[Incident], of: Callable[[Incident], tuple[str, ...]] | None
) -> list[tuple[str, list[Incident]]]:
    """Return the incidents of each value, the value of the most urgent one first; none: they are not grouped."""
    groups: dict[str, list[Incident]] = {}
    for one in found if of else ():
        for value in of(one) or ("",):  # type: ignore[misc]  # (it is not None here)
            groups.setdefault(value, []).append(one)
    return list(groups.items())


async def alert(request: PageRequest) -> Context:
    """Return the incident of an alert with its reason, its actions, its course and its chart. Raises HTTPException
    404."""
    found, actions = await asyncio.gather(
        request.rollups.incident(request.path.get("id", "")), request.rollups.alert_actions(request.now)
    )
    if found is None:
        raise HTTPException(404, "This alert does not exist.")
    main, zone = found.main, request.view.zone
    messages, versions, every, drawn = await asyncio.gather(
        request.rollups.alert_messages(found), request.rollups.alert_versions(found),
        request.rollups.alert_actions(found.opened_at), _chart(request, found, explore_path(main, zone)),
    )  # fmt: skip
    happened = timeline(
        found, versions, actions_on(found, every, "acknowledged", "expected", "snoozed"),
        lambda at: moment_text(at, zone),
    )  # fmt: skip
    happened += [(at, f"Notification to {channel}: {state}") for at, channel, state in messages]
    taken = actions_on(found, actions, "acknowledged", "expected", "snoozed")
    return {
        "timeline": sorted(happened, key=lambda one: one[0]),
        "title": found.title,
        "count": found.count,
        "drawn": drawn,
        "alert": main,
        "text": found.text,
        "when": found.text.when(lambda at: f"{at.astimezone(zone):%Y-%m-%d %H:%M}"),
        "id": found.id,
        "state": found.state,
        "actions": taken,
        "over": not found.open,
        "may": request.may,
        "explore": partial(explore_path, main, zone),
    }


async def _chart(request: PageRequest, incident: Incident, path: str) -> Context | None:
    """Return the chart of the costs that an alert is about; None: Explore cannot filter by its scope."""
    if not path:
        return None
    try:
        view = request.open(path.partition("?")[2])
    except ViewError:
        return None
    spans = (view.span(request.now), view.before(request.now))
    one = (await request.rollups.breakdown(view, spans))[""]
    return {"view": view, "path": path, **await chart_of(request, view, one.rows, [incident])}


def actions_on(incident: Incident, actions: Actions, *kinds: str) -> list[AlertAction]:
    """Return the actions of some kinds on an incident, on one of its alerts, or on the rule of its worst alert."""
    targets = dict.fromkeys([incident.id, *(part.id for part in incident.alerts), incident.main.rule])
    return [actions[target, kind] for kind in kinds for target in targets if (target, kind) in actions]
