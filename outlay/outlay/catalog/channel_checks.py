"""What must be right of channels, routes and reviews together: names lead somewhere, templates can be filled in."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import get_args

from outlay.catalog.yaml_files import Document, Problem
from outlay_alerter.notify.sample import alert as example
from outlay_alerter.notify.templates import TemplateProblem
from outlay_alerter.notify.templates import check as check_template
from outlay_kit.clock import SystemClock
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.channels import AnyChannel

_NONE = Document("", None, None)


def posts(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find what of the channels, routes and reviews does not fit together."""
    yield from _strangers(catalog, documents)
    yield from _silent(catalog, documents)
    yield from _reviews(catalog, documents)
    yield from _templates(catalog, documents)
    yield from _never(catalog, documents)


def _strangers(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find names of channels, rules and budgets that there are not."""
    channels = [channel.id for channel in catalog.channels]
    watched = [*(rule.id for rule in catalog.rules), *(budget.id for budget in catalog.budgets)]
    document = documents.get("reviews.yaml", _NONE)
    for index, review in enumerate(catalog.reviews):
        yield from _unknown(document, [index, "channels"], review.channels, channels, "channels.yaml")
    document = documents.get("routes.yaml", _NONE)
    for index, route in enumerate(catalog.routes):
        yield from _unknown(document, [index, "channels"], route.channels, channels, "channels.yaml")
        place: list[int | str] = [index, "match", "rule"]
        yield from _unknown(document, place, route.match.rule, watched, "rules.yaml and budgets.yaml")


def _unknown(
    document: Document, place: Sequence[int | str], names: Sequence[str], known: Sequence[str], where: str
) -> Iterator[Problem]:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"take one of {where}, or add it there"
            yield Problem(document.name, document.line(place), path, f"there is no {name} in {where}", hint)


def _silent(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find channels that no route leads to, though there are routes."""
    led = {name for route in catalog.routes for name in route.channels}
    led |= {name for review in catalog.reviews for name in review.channels}
    document = documents.get("channels.yaml", _NONE)
    for index, channel in enumerate(catalog.channels if catalog.routes else ()):
        if channel.id not in led:
            message = f"no route leads to {channel.id}: it is never told anything"
            hint = "name it in a route of routes.yaml, or take it out"
            yield Problem(document.name, document.line([index]), f"[{index}]", message, hint)


def _never(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find routes behind one that takes every alert."""
    document = documents.get("routes.yaml", _NONE)
    for index, route in enumerate(catalog.routes[:-1]):
        if not route.continues and not any(route.match.model_dump().values()):
            line = document.line([index + 1])
            message = f"no alert comes here: the route on line {document.line([index])} takes every one"
            yield Problem(
                document.name,
                line,
                f"[{index + 1}]",
                message,
                "put that one last, or set continue: true on it",
            )
            return


def _reviews(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find reviews that are sent to what cannot show them."""
    channels = {channel.id: channel for channel in catalog.channels}
    document = documents.get("reviews.yaml", _NONE)
    able = ", ".join(
        get_args(kind.model_fields["type"].annotation)[0]
        for kind in get_args(AnyChannel)
        if kind.supports_review
    )
    blind = [channel.id for channel in catalog.channels if channel.hide or channel.hash]
    for index, review in enumerate(catalog.reviews):
        for name in review.channels:
            if name in blind:
                message = f"{name} hides names, and a review is full of them"
                hint = "send it to a channel without hide and hash"
                yield Problem(
                    document.name, document.line([index, "channels"]), f"[{index}].channels", message, hint
                )
            if name in channels and not channels[name].supports_review:
                message = f"{name} is {channels[name].type}, which cannot show a review"
                place = f"[{index}].channels"
                yield Problem(
                    document.name, document.line([index, "channels"]), place, message, f"choose one of {able}"
                )


def _templates(catalog: Catalog, documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Find templates that cannot be filled in."""
    document = documents.get("channels.yaml", _NONE)
    sample = example(SystemClock().now())
    for index, channel in enumerate(catalog.channels):
        for field, template in (("title", channel.title), ("text", channel.text)):
            try:
                check_template(template, sample)
            except TemplateProblem as error:
                block = int("\n" in template)  # after `text: |` the words begin on the next line
                line = document.line([index, field]) + error.line - 1 + block
                hint = "see `Templates` in docs/notifications.md"
                yield Problem(document.name, line, f"[{index}].{field}", str(error), hint)
