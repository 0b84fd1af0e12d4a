"""What a catalog must satisfy as a whole: names used once, one owner at a time, no circles."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from outlay.catalog import rule_checks
from outlay.catalog.channel_checks import posts
from outlay.catalog.yaml_files import Document, Problem
from outlay_pricer.domain.owner_cycles import owner_cycles
from outlay_schemas.catalog import Catalog, Dated, FxRate

_NONE = Document("", None, None)


def contradictions(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find what is right by itself and wrong together."""
    books = [document for name, document in documents.items() if name.startswith("price_books/")]
    names = [str(book.content.get("name")) for book in books if isinstance(book.content, dict)]
    for index, name in enumerate(names):
        if name in names[:index]:
            hint = "give each book a name of its own: it is in every price reference"
            first = books[names.index(name)].name
            yield Problem(
                books[index].name, books[index].line(["name"]), "name", f"{first} is called {name} too", hint
            )
    yield from _once("budgets", [budget.id for budget in catalog.budgets], documents)
    yield from _once("rules", [rule.id for rule in catalog.rules], documents)
    yield from _once("mute_time_intervals", [mute.id for mute in catalog.mute_time_intervals], documents)
    yield from rule_checks.contradictions(catalog, documents)
    yield from _once("negotiated", [item.id for item in catalog.negotiated], documents)
    yield from _once("virtual_tags", [item.id for item in catalog.virtual_tags], documents)
    yield from _once("splits", [item.id for item in catalog.splits], documents)
    for part in ("channels", "reviews"):
        yield from _once(part, [item.id for item in getattr(catalog, part)], documents)
    yield from posts(catalog, documents)
    deployments = [(item.deployment.lower(), item.resource) for item in catalog.azure_deployments]
    yield from _once("azure_deployments", deployments, documents)
    owners = [(owner.key, owner.value, *sorted(owner.sets)) for owner in catalog.owners]
    yield from _apart("owners", owners, catalog.owners, documents)
    yield from _apart("fx", [rate.currency for rate in catalog.fx], catalog.fx, documents)
    yield from _gaps(catalog, documents)
    yield from _currencies(catalog, books)
    yield from _overrides(catalog, documents)
    yield from _circles(catalog, documents)
    yield from _owner_circles(catalog, documents)


def _once(part: str, keys: Sequence[Hashable], documents: Mapping[str, Document]) -> Iterator[Problem]:
    document = documents.get(f"{part}.yaml", _NONE)
    seen: dict[Hashable, int] = {}
    for index, key in enumerate(keys):
        if key in seen:
            first = document.line([seen[key]])
            message = f"{_words(key)} is already on line {first}"
            yield Problem(
                document.name, document.line([index]), f"[{index}]", message, "give it a name of its own"
            )
        seen.setdefault(key, index)


def _apart(
    part: str, keys: Sequence[Hashable], items: Sequence[Dated], documents: Mapping[str, Document]
) -> Iterator[Problem]:
    """Find two that say something about the same thing at the same time."""
    document = documents.get(f"{part}.yaml", _NONE)
    by_key: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        for other in by_key.get(key, []):
            if _overlap(items[other], items[index]):
                message = f"{_words(key)} is also given on line {document.line([other])} for the same time"
                hint = "end the earlier one with `to`"
                yield Problem(document.name, document.line([index]), f"[{index}]", message, hint)
                break
        by_key.setdefault(key, []).append(index)


def _overlap(one: Dated, other: Dated) -> bool:
    def before(first: Dated, second: Dated) -> bool:
        return first.ends is not None and second.starts is not None and first.ends <= second.starts

    return not before(one, other) and not before(other, one)


def _gaps(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find times between two FX rates that have none."""
    document = documents.get("fx.yaml", _NONE)
    last: dict[str, FxRate] = {}
    ordered = sorted(enumerate(catalog.fx), key=lambda item: (item[1].starts is not None, item[1].starts))
    for index, rate in ordered:
        before = last.get(rate.currency)
        if before is not None and before.ends is not None and rate.starts and before.ends < rate.starts:
            message = f"no rate for {rate.currency} from {before.ends:%Y-%m-%d} to {rate.starts:%Y-%m-%d}"
            hint = "close the gap: without a rate there is no price"
            yield Problem(document.name, document.line([index]), f"[{index}]", message, hint)
        last[rate.currency] = rate


def _currencies(catalog: Catalog, books: Sequence[Document]) -> Iterator[Problem]:
    """Find books in a currency that has no rate at all."""
    known = {"USD", *(rate.currency for rate in catalog.fx)}
    for document in books:
        content = document.content if isinstance(document.content, dict) else {}
        currency = str(content.get("currency", "USD"))
        if len(currency) == 3 and currency not in known:
            hint = f"add a rate for {currency} to fx.yaml: without it nothing of this book has a price"
            yield Problem(
                document.name, document.line(["currency"]), "currency", f"{currency} has no rate", hint
            )


def _overrides(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find agreed prices for meters that nothing is ever paid by: they would be agreed in vain."""
    known = {
        meter
        for book in catalog.price_books
        for rule in book.rules
        for d in rule.prices
        for meter in d.meters
    }
    known |= set(catalog.rates.units if catalog.rates else ())
    document = documents.get("negotiated.yaml", _NONE)
    for index, terms in enumerate(catalog.negotiated):
        for meter in terms.override:
            if meter not in known:
                near = get_close_matches(meter, sorted(known), 1)
                hint = f"did you mean {near[0]}?" if near else "use the meter that the list price is for"
                line = document.line([index, "override", meter])
                yield Problem(
                    document.name, line, f"[{index}].override.{meter}", f"nothing is priced by {meter}", hint
                )


def _circles(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find names that are an alias of another name, or of two: which one is meant, nobody can say."""
    document = documents.get("aliases.yaml", _NONE)
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
                yield Problem(document.name, document.line([index]), f"[{index}]", message, hint)


def _owner_circles(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find owners that lead back to themselves."""
    document = documents.get("owners.yaml", _NONE)
    places = {(owner.key, owner.value): index for index, owner in reversed(list(enumerate(catalog.owners)))}
    for circle in owner_cycles(catalog.owners):
        index = places[circle[0]]
        way = " → ".join(f"{key} {value}" for key, value in [*circle, circle[0]])
        hint = "take one of these owners out"
        yield Problem(document.name, document.line([index]), f"[{index}]", f"a circle: {way}", hint)


def _words(key: Hashable) -> str:
    return " ".join(str(part) for part in key if part) if isinstance(key, tuple) else str(key)
