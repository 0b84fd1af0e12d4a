"""What budgets, rules and mute windows must satisfy together: names that exist, no circles."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from outlay.catalog.yaml_files import Document, Problem
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Anomaly

_NONE = Document("", None, None)


def contradictions(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find what the watch could not do as it is written."""
    known = [*(b.id for b in catalog.budgets), *(r.id for r in catalog.rules)]
    yield from _shared(catalog, documents)
    for part, items in (("budgets", catalog.budgets), ("rules", catalog.rules)):
        named = [(index, "depends_on", item.depends_on or ()) for index, item in enumerate(items)]
        yield from _strangers(part, named, known, documents)
    mutes = [(index, "rules", mute.rules) for index, mute in enumerate(catalog.mute_time_intervals)]
    yield from _strangers("mute_time_intervals", mutes, known, documents)
    yield from _circles(catalog, documents)


def without_zone(catalog: Catalog) -> list[str]:
    """Return a warning for each budget and rule of hours or days that states no time zone."""
    budgets = [("budget", b.id, b) for b in catalog.budgets if b.period != "hour" and not b.rolling_days]
    rules = [("rule", r.id, r) for r in catalog.rules if isinstance(r, Anomaly) and r.grain != "minute"]
    return [
        f"{kind} {name} states no timezone, so its days are those of UTC and clock changes look like anomalies;"
        " add timezone: Europe/Berlin, or timezone: UTC if that is meant"
        for kind, name, item in (*budgets, *rules)
        if "timezone" not in item.model_fields_set
    ]


def _shared(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find rules that are called as a budget is: a snooze or a mute would mean both."""
    document = documents.get("rules.yaml", _NONE)
    budgets = {budget.id for budget in catalog.budgets}
    for index, rule in enumerate(catalog.rules):
        if rule.id in budgets:
            line = document.line([index, "id"])
            hint = "give it a name of its own"
            yield Problem(document.name, line, f"[{index}].id", f"a budget is called {rule.id} too", hint)


def _strangers(
    part: str,
    named: Sequence[tuple[int, str, Sequence[str]]],
    known: Sequence[str],
    documents: Mapping[str, Document],
) -> Iterator[Problem]:
    document = documents.get(f"{part}.yaml", _NONE)
    for index, field, names in named:
        for name in names:
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else "name a rule or a budget by its id"
                line = document.line([index, field])
                yield Problem(
                    document.name, line, f"[{index}].{field}", f"nothing is called {name} here", hint
                )


def _circles(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find rules that wait for each other: of such, nobody would be told at all."""
    items = [("budgets", n, b.id, b.depends_on or ()) for n, b in enumerate(catalog.budgets)]
    items += [("rules", n, r.id, r.depends_on or ()) for n, r in enumerate(catalog.rules)]
    on = {name: names for _, _, name, names in items}
    for part, index, name, names in items:
        reached, waiting = set[str](), list(names)
        while waiting:
            if (one := waiting.pop()) not in reached:
                reached.add(one)
                waiting += on.get(one, ())
        if name in reached:
            document = documents.get(f"{part}.yaml", _NONE)
            line = document.line([index, "depends_on"])
            hint = "take one of these out: while both fire, neither would be told"
            yield Problem(document.name, line, f"[{index}].depends_on", f"{name} depends on itself", hint)
