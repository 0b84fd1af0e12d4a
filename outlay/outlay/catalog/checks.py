"""Checks of a catalog as a whole: names are unique, references exist, dates and currencies fit, nothing is circular."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import chain

from outlay.catalog.channel_checks import channel_problems
from outlay.catalog.yaml_files import NO_DOCUMENT, Document, Problem, did_you_mean, problem_at
from outlay_pricer.domain.attribution import owner_cycles
from outlay_schemas.catalog import Catalog, Dated, FxRate
from outlay_schemas.catalog.watch import Anomaly

Documents = Mapping[str, Document]
_WITH_IDS = (
    "budgets",
    "rules",
    "mute_time_intervals",
    "negotiated",
    "virtual_tags",
    "splits",
    "channels",
    "reviews",
)


def contradictions(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find what is valid by itself and wrong in combination."""
    price_books = [document for name, document in documents.items() if name.startswith("price_books/")]
    deployments = [(item.deployment.lower(), item.resource) for item in catalog.azure_deployments]
    owners = [(owner.key, owner.value, *sorted(owner.sets)) for owner in catalog.owners]
    return chain(
        _book_names(price_books),
        *(_duplicates(part, [item.id for item in getattr(catalog, part)], documents) for part in _WITH_IDS),
        _duplicates("azure_deployments", deployments, documents),
        _overlaps("owners", owners, catalog.owners, documents),
        _overlaps("fx", [rate.currency for rate in catalog.fx], catalog.fx, documents),
        _rule_names(catalog, documents),
        _dependencies(catalog, documents),
        channel_problems(catalog, documents),
        _fx_gaps(catalog, documents),
        _currencies(catalog, price_books),
        _override_meters(catalog, documents),
        _alias_cycles(catalog, documents),
        _owner_cycles(catalog, documents),
    )


def without_zone(catalog: Catalog) -> list[str]:
    """Return a warning for each budget and rule of hours or days that states no time zone."""
    budgets = [("budget", b.id, b) for b in catalog.budgets if b.period != "hour" and not b.rolling_days]
    rules = [("rule", r.id, r) for r in catalog.rules if isinstance(r, Anomaly) and r.grain != "minute"]
    return [
        f"{kind} {name} states no timezone, so its days are those of UTC and clock changes look like anomalies;"
        " add timezone: Europe/Berlin, or timezone: UTC if that is intended"
        for kind, name, item in (*budgets, *rules)
        if "timezone" not in item.model_fields_set
    ]


def _book_names(price_books: Sequence[Document]) -> Iterator[Problem]:
    names = [str(book.content.get("name")) for book in price_books if isinstance(book.content, dict)]
    for index, name in enumerate(names):
        if name in names[:index]:
            message = f"{price_books[names.index(name)].name} is called {name} too"
            hint = "give each book a name of its own: it is in every price reference"
            yield price_books[index].problem(["name"], message, hint)


def _duplicates(part: str, keys: Sequence[Hashable], documents: Documents) -> Iterator[Problem]:
    file = f"{part}.yaml"
    seen: dict[Hashable, int] = {}
    for index, key in enumerate(keys):
        if key in seen:
            first = documents.get(file, NO_DOCUMENT).line([seen[key]])
            message = f"{_text(key)} is already on line {first}"
            yield problem_at(documents, file, [index], message, "give it a name of its own")
        seen.setdefault(key, index)


def _overlaps(
    part: str, keys: Sequence[Hashable], items: Sequence[Dated], documents: Documents
) -> Iterator[Problem]:
    """Find two items for the same key and the same time."""
    file = f"{part}.yaml"
    by_key: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        other = next((n for n in by_key.get(key, []) if _overlap(items[n], items[index])), None)
        if other is not None:
            line = documents.get(file, NO_DOCUMENT).line([other])
            message = f"{_text(key)} is also given on line {line} for the same time"
            yield problem_at(documents, file, [index], message, "end the earlier one with `to`")
        by_key.setdefault(key, []).append(index)


def _overlap(one: Dated, other: Dated) -> bool:
    def before(first: Dated, second: Dated) -> bool:
        return first.ends is not None and second.starts is not None and first.ends <= second.starts

    return not before(one, other) and not before(other, one)


def _rule_names(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find rules with the id of a budget, since a snooze or a mute would apply to both; and unknown references."""
    budgets = {budget.id for budget in catalog.budgets}
    for index, rule in enumerate(catalog.rules):
        if rule.id in budgets:
            message = f"a budget is called {rule.id} too"
            yield problem_at(documents, "rules.yaml", [index, "id"], message, "give it a name of its own")
    known = [*(b.id for b in catalog.budgets), *(r.id for r in catalog.rules)]
    references = [
        *(("budgets", index, "depends_on", b.depends_on or ()) for index, b in enumerate(catalog.budgets)),
        *(("rules", index, "depends_on", r.depends_on or ()) for index, r in enumerate(catalog.rules)),
        *(("mute_time_intervals", i, "rules", m.rules) for i, m in enumerate(catalog.mute_time_intervals)),
    ]
    for part, index, field, names in references:
        for name in names:
            if name not in known:
                hint = did_you_mean(name, known) or "name a rule or a budget by its id"
                yield problem_at(
                    documents, f"{part}.yaml", [index, field], f"nothing is called {name} here", hint
                )


def _dependencies(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find rules that depend on each other: none of them would ever notify anyone."""
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
            hint = "remove one of these: while both fire, neither would notify anyone"
            place = (index, "depends_on")
            yield problem_at(documents, f"{part}.yaml", place, f"{name} depends on itself", hint)


def _fx_gaps(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find times between two FX rates that have none."""
    last: dict[str, FxRate] = {}
    ordered = sorted(enumerate(catalog.fx), key=lambda item: (item[1].starts is not None, item[1].starts))
    for index, rate in ordered:
        before = last.get(rate.currency)
        if before is not None and before.ends is not None and rate.starts and before.ends < rate.starts:
            message = f"no rate for {rate.currency} from {before.ends:%Y-%m-%d} to {rate.starts:%Y-%m-%d}"
            hint = "close the gap: usage without a rate is unpriced"
            yield problem_at(documents, "fx.yaml", [index], message, hint)
        last[rate.currency] = rate


def _currencies(catalog: Catalog, price_books: Sequence[Document]) -> Iterator[Problem]:
    """Find price books in a currency that has no rate at all."""
    known = {"USD", *(rate.currency for rate in catalog.fx)}
    for document in price_books:
        content = document.content if isinstance(document.content, dict) else {}
        currency = str(content.get("currency", "USD"))
        if len(currency) == 3 and currency not in known:
            hint = f"add a rate for {currency} to fx.yaml: without it, this book prices nothing"
            yield document.problem(["currency"], f"{currency} has no rate", hint)


def _override_meters(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find agreed prices for meters that nothing is priced by, so that they would have no effect."""
    dated = [prices for book in catalog.price_books for rule in book.rules for prices in rule.prices]
    known = {meter for prices in dated for meter in prices.meters}
    known |= set(catalog.rates.units if catalog.rates else ())
    for index, terms in enumerate(catalog.negotiated):
        for meter in terms.override:
            if meter not in known:
                hint = did_you_mean(meter, sorted(known)) or "use the meter of the list price"
                place = (index, "override", meter)
                yield problem_at(documents, "negotiated.yaml", place, f"nothing is priced by {meter}", hint)


def _alias_cycles(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find names that are an alias of another name, or of two names, which is ambiguous."""
    names = {(alias.dimension, alias.name) for alias in catalog.aliases}
    first: dict[tuple[str, str], str] = {}
    for index, alias in enumerate(catalog.aliases):
        for other in alias.aliases:
            key = (alias.dimension, other)
            message = ""
            if key in names:
                message = f"{other} is a name itself, and an alias of {alias.name}"
            elif first.get(key, alias.name) != alias.name:
                message = f"{other} is an alias of {first[key]} too"
            first.setdefault(key, alias.name)
            if message:
                hint = "choose one name, and list all others as its aliases"
                yield problem_at(documents, "aliases.yaml", [index], message, hint)


def _owner_cycles(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find owners that lead back to themselves."""
    places = {(owner.key, owner.value): index for index, owner in reversed(list(enumerate(catalog.owners)))}
    for cycle in owner_cycles(catalog.owners):
        path = " → ".join(f"{key} {value}" for key, value in [*cycle, cycle[0]])
        hint = "remove one of these owners"
        yield problem_at(documents, "owners.yaml", [places[cycle[0]]], f"a cycle: {path}", hint)


def _text(key: Hashable) -> str:
    return " ".join(str(part) for part in key if part) if isinstance(key, tuple) else str(key)
