"""Checks of channels, routes and reviews: names exist, every channel is reachable, templates can be rendered."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import get_args

from outlay.catalog.yaml_files import NO_DOCUMENT, Document, Problem, did_you_mean, problem_at
from outlay_alerter.notify.sample import alert as example
from outlay_alerter.notify.templates import TemplateProblem
from outlay_alerter.notify.templates import check as check_template
from outlay_kit.clock import SystemClock
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.channels import AnyChannel

Documents = Mapping[str, Document]
Place = tuple[int | str, ...]


def channel_problems(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find channels, routes and reviews that do not fit together."""
    found = (_unknown_names, _unreachable_channels, _reviews, _templates, _unreachable_routes)
    return chain.from_iterable(check(catalog, documents) for check in found)


def _unknown_names(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    channels = [channel.id for channel in catalog.channels]
    rules = [*(rule.id for rule in catalog.rules), *(budget.id for budget in catalog.budgets)]
    references: list[tuple[str, Place, Sequence[str], Sequence[str], str]] = []
    for index, review in enumerate(catalog.reviews):
        references.append(("reviews", (index, "channels"), review.channels, channels, "channels.yaml"))
    for index, route in enumerate(catalog.routes):
        references.append(("routes", (index, "channels"), route.channels, channels, "channels.yaml"))
        both = "rules.yaml and budgets.yaml"
        references.append(("routes", (index, "match", "rule"), route.match.rule, rules, both))
    for part, place, names, known, where in references:
        for name in names:
            if name not in known:
                hint = did_you_mean(name, known) or f"use one of {where}, or add it there"
                yield problem_at(documents, f"{part}.yaml", place, f"{name} is not in {where}", hint)


def _unreachable_channels(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find channels that no route leads to, though there are routes."""
    reached = {name for route in catalog.routes for name in route.channels}
    reached |= {name for review in catalog.reviews for name in review.channels}
    for index, channel in enumerate(catalog.channels if catalog.routes else ()):
        if channel.id not in reached:
            message = f"no route leads to {channel.id}: it never gets a message"
            hint = "name it in a route of routes.yaml, or remove it"
            yield problem_at(documents, "channels.yaml", [index], message, hint)


def _unreachable_routes(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find the route behind one that takes every alert."""
    for index, route in enumerate(catalog.routes[:-1]):
        if not route.continues and not any(route.match.model_dump().values()):
            line = documents.get("routes.yaml", NO_DOCUMENT).line([index])
            message = f"no alert comes here: the route on line {line} takes every one"
            hint = "put that one last, or set continue: true on it"
            yield problem_at(documents, "routes.yaml", [index + 1], message, hint)
            return


def _reviews(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    """Find reviews that go to a channel that cannot show them."""
    channels = {channel.id: channel for channel in catalog.channels}
    kinds = [kind for kind in get_args(AnyChannel) if kind.supports_review]
    able = ", ".join(get_args(kind.model_fields["type"].annotation)[0] for kind in kinds)
    for index, review in enumerate(catalog.reviews):
        for channel in (channels[name] for name in review.channels if name in channels):
            place = (index, "channels")
            if channel.hide or channel.hash:
                message = f"{channel.id} hides names, and a review is full of them"
                hint = "send it to a channel without hide and hash"
                yield problem_at(documents, "reviews.yaml", place, message, hint)
            if not channel.supports_review:
                message = f"{channel.id} is {channel.type}, which cannot show a review"
                yield problem_at(documents, "reviews.yaml", place, message, f"choose one of {able}")


def _templates(catalog: Catalog, documents: Documents) -> Iterator[Problem]:
    document = documents.get("channels.yaml", NO_DOCUMENT)
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
