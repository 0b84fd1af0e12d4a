"""Checks of a catalog as a whole: names, references, dates, currencies and routes fit, and nothing is circular."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import chain
from typing import get_args

from outlay.catalog.yaml_files import Document, Problem, did_you_mean
from outlay_kit.clock import SystemClock
from outlay_pricer.domain.attribution import owner_cycles
from outlay_schemas.catalog import Catalog, Dated, FxRate
from outlay_schemas.catalog.channels import AnyChannel
from outlay_schemas.catalog.watch import Anomaly
from outlay_schemas.currency import USD, Currency

Documents = Mapping[str, Document]  # the files by name, with an empty document for each that is not there


def contradictions(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find what is valid by itself and wrong in combination."""
    price_books = [document for name, document in documents.items() if name.startswith("price_books/")]
    ids = {
        part: [item.id for item in items]
        for part, items in catalog
        if isinstance(items, tuple) and all(hasattr(item, "id") for item in items)
    }
    deployments = [(item.deployment.lower(), item.resource) for item in catalog.azure_deployments]
    owners = [(owner.key, owner.value, *sorted(owner.sets)) for owner in catalog.owners]
    checks = (
        _rule_names, _unknown_names, _dependencies, _unreachable_channels, _unreachable_routes, _reviews,
        _templates, _fx_gaps, _budget_rates, _override_meters, _alias_cycles, _owner_cycles,
    )  # fmt: skip
    return chain(
        _book_names(price_books),
        _currencies(catalog, price_books),
        *(_duplicates(documents[f"{part}.yaml"], names) for part, names in ids.items()),
        _duplicates(documents["azure_deployments.yaml"], deployments),
        _overlaps(documents["owners.yaml"], owners, catalog.owners),
        _overlaps(documents["fx.yaml"], [rate.currency for rate in catalog.fx], catalog.fx),
        *(check(catalog, documents) for check in checks),
    )


def unreached(catalog: Catalog) -> dict[str, str]:
    """Return the id of each channel that no route or review leads to, and what that means."""
    reached = {name for route in catalog.routes for name in route.channels}
    reached |= {name for review in catalog.reviews for name in review.channels}
    idle = [one.id for one in (catalog.channels if catalog.routes else ()) if one.id not in reached]
    return {name: f"no route leads to {name}: it never gets a message" for name in idle}


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


def _currencies(catalog: Catalog, price_books: Sequence[Document]) -> Iterator[Problem]:
    known = {"USD", *(rate.currency for rate in catalog.fx)}
    for document in price_books:
        content = document.content if isinstance(document.content, dict) else {}
        currency = str(content.get("currency", "USD"))
        if len(currency) == 3 and currency not in known:
            hint = f"add a rate for {currency} to fx.yaml: without it, this book prices nothing"
            yield document.problem(["currency"], f"{currency} has no rate", hint)


def _duplicates(document: Document, keys: Sequence[Hashable]) -> Iterator[Problem]:
    seen: dict[Hashable, int] = {}
    for index, key in enumerate(keys):
        if key in seen:
            message = f"{_text(key)} is already on line {document.line([seen[key]])}"
            yield document.problem([index], message, "give it a name of its own")
        seen.setdefault(key, index)


def _overlaps(document: Document, keys: Sequence[Hashable], items: Sequence[Dated]) -> Iterator[Problem]:
    by_key: dict[Hashable, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        other = next((n for n in by_key[key] if _overlap(items[n], items[index])), None)
        if other is not None:
            message = f"{_text(key)} is also given on line {document.line([other])} for the same time"
            yield document.problem([index], message, "end the earlier one with `to`")
        by_key[key].append(index)


def _overlap(one: Dated, other: Dated) -> bool:
    def before(first: Dated, second: Dated) -> bool:
        return first.ends is not None and second.starts is not None and first.ends <= second.starts

    return not before(one, other) and not before(other, one)


def _rule_names(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find rules with the id of a budget, since a snooze or a mute would apply to both."""
    budgets = {budget.id for budget in catalog.budgets}
    for index, rule in enumerate(catalog.rules):
        if rule.id in budgets:
            message = f"a budget is called {rule.id} too"
            yield documents["rules.yaml"].problem([index, "id"], message, "give it a name of its own")


def _unknown_names(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    channels = [channel.id for channel in catalog.channels]
    rules = [*(budget.id for budget in catalog.budgets), *(rule.id for rule in catalog.rules)]
    for part, items, field, known, files in (
        ("budgets", catalog.budgets, "depends_on", rules, ""),
        ("rules", catalog.rules, "depends_on", rules, ""),
        ("mute_time_intervals", catalog.mute_time_intervals, "rules", rules, ""),
        ("reviews", catalog.reviews, "channels", channels, "channels.yaml"),
        ("routes", catalog.routes, "channels", channels, "channels.yaml"),
        ("routes", [route.match for route in catalog.routes], "rule", rules, "rules.yaml and budgets.yaml"),
    ):
        for index, item in enumerate(items):
            place = (index, "match", field) if field == "rule" else (index, field)
            for name in (one for one in getattr(item, field) or () if one not in known):
                message = f"{name} is not in {files}" if files else f"nothing is called {name} here"
                hint = (
                    f"use one of {files}, or add it there" if files else "name a rule or a budget by its id"
                )
                hint = did_you_mean(name, known) or hint
                yield documents[f"{part}.yaml"].problem(place, message, hint)


def _dependencies(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    items = [("budgets.yaml", n, b.id, b.depends_on or ()) for n, b in enumerate(catalog.budgets)]
    items += [("rules.yaml", n, r.id, r.depends_on or ()) for n, r in enumerate(catalog.rules)]
    on = {name: names for _, _, name, names in items}
    for file, index, name, names in items:
        reached, waiting = set[str](), list(names)
        while waiting:
            if (one := waiting.pop()) not in reached:
                reached.add(one)
                waiting += on.get(one, ())
        if name in reached:
            hint = "remove one of these: while both fire, neither would notify anyone"
            yield documents[file].problem((index, "depends_on"), f"{name} depends on itself", hint)


def _unreachable_channels(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    idle = unreached(catalog)
    for index, channel in enumerate(catalog.channels):
        if channel.id in idle:
            hint = "name it in a route of routes.yaml, or remove it"
            yield documents["channels.yaml"].problem([index], idle[channel.id], hint)


def _unreachable_routes(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    document = documents["routes.yaml"]
    for index, route in enumerate(catalog.routes[:-1]):
        if not route.continues and not any(route.match.model_dump().values()):
            message = f"no alert comes here: the route on line {document.line([index])} takes every one"
            yield document.problem([index + 1], message, "put that one last, or set continue: true on it")
            return


def _reviews(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    channels = {channel.id: channel for channel in catalog.channels}
    kinds = [kind for kind in get_args(AnyChannel) if kind.supports_review]
    able = ", ".join(get_args(kind.model_fields["type"].annotation)[0] for kind in kinds)
    for index, review in enumerate(catalog.reviews):
        for channel in (channels[name] for name in review.channels if name in channels):
            place, document = (index, "channels"), documents["reviews.yaml"]
            if channel.hide or channel.hash:
                message = f"{channel.id} hides names, and a review is full of them"
                yield document.problem(place, message, "send it to a channel without hide and hash")
            if not channel.supports_review:
                message = f"{channel.id} is {channel.type}, which cannot show a review"
                yield document.problem(place, message, f"choose one of {able}")


def _templates(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    if not any(channel.title or channel.text for channel in catalog.channels):
        return  # before imports that would stay in the process that `outlay up` leaves running
    from outlay_alerter.notify.sample import alert as example
    from outlay_alerter.notify.templates import TemplateProblem
    from outlay_alerter.notify.templates import check as check_template

    document = documents["channels.yaml"]
    sample = example(SystemClock().now())
    for index, channel in enumerate(catalog.channels):
        for field, template in (("title", channel.title), ("text", channel.text)):
            try:
                check_template(template, sample)
            except TemplateProblem as error:
                block = int("\n" in template)  # after `text: |` the text begins on the next line
                line = document.line([index, field]) + error.line - 1 + block
                hint = "see `Templates` in docs/notifications.md"
                yield Problem(document.name, line, f"[{index}].{field}", str(error), hint)


def _fx_gaps(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    last: dict[str, FxRate] = {}
    ordered = sorted(enumerate(catalog.fx), key=lambda item: (item[1].starts is not None, item[1].starts))
    for index, rate in ordered:
        before = last.get(rate.currency)
        if before is not None and before.ends is not None and rate.starts and before.ends < rate.starts:
            message = f"no rate for {rate.currency} from {before.ends:%Y-%m-%d} to {rate.starts:%Y-%m-%d}"
            hint = "close the gap: usage without a rate is unpriced"
            yield documents["fx.yaml"].problem([index], message, hint)
        last[rate.currency] = rate


def _budget_rates(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find budgets in a currency whose rates are missing or end: their limit would be unknown, or of an old rate."""
    for index, budget in enumerate(catalog.budgets):
        rates = Currency(budget.currency, catalog.fx).rates
        if budget.currency == USD.code or any(rate.ends is None for rate in rates):
            continue
        ends = max((rate.ends for rate in rates if rate.ends), default=None)
        message = f"{budget.currency} has no rate{'' if ends is None else f' from {ends:%Y-%m-%d} on'}"
        hint = (
            f"add a rate for {budget.currency} without an end to fx.yaml: a budget must always have a limit"
        )
        yield documents["budgets.yaml"].problem([index, "currency"], message, hint)


def _override_meters(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find agreed prices for meters that nothing is priced by, so that they would have no effect."""
    dated = [prices for book in catalog.price_books for rule in book.rules for prices in rule.prices]
    known = {meter for prices in dated for meter in prices.meters}
    known |= set(catalog.rates.units if catalog.rates else ())
    for index, terms in enumerate(catalog.negotiated):
        for meter in terms.override:
            if meter not in known:
                hint = did_you_mean(meter, sorted(known)) or "use the meter of the list price"
                message = f"nothing is priced by {meter}"
                yield documents["negotiated.yaml"].problem((index, "override", meter), message, hint)


def _alias_cycles(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    names = {(alias.tenant, alias.dimension, alias.name) for alias in catalog.aliases}
    first: dict[tuple[str, str, str], str] = {}
    for index, alias in enumerate(catalog.aliases):
        for other in alias.aliases:
            key = (alias.tenant, alias.dimension, other)
            message = ""
            if key in names:
                message = f"{other} is a name itself, and an alias of {alias.name}"
            elif first.get(key, alias.name) != alias.name:
                message = f"{other} is an alias of {first[key]} too"
            first.setdefault(key, alias.name)
            if message:
                hint = "choose one name, and list all others as its aliases"
                yield documents["aliases.yaml"].problem([index], message, hint)


def _owner_cycles(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    places = {(owner.key, owner.value): index for index, owner in reversed(list(enumerate(catalog.owners)))}
    for cycle in owner_cycles(catalog.owners):
        path = " → ".join(f"{key} {value}" for key, value in [*cycle, cycle[0]])
        hint = "remove one of these owners"
        yield documents["owners.yaml"].problem([places[cycle[0]]], f"a cycle: {path}", hint)


def _text(key: Hashable) -> str:
    return " ".join(str(part) for part in key if part) if isinstance(key, tuple) else str(key)
