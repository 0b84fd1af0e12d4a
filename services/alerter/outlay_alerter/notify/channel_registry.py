"""The notification channels, by their `type` in the catalog: every module of `channels/` that has a `KIND`."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import get_args

from outlay_alerter.notify import channels
from outlay_alerter.notify.channel import Channel, ChannelContext, ChannelKind
from outlay_alerter.notify.chart import Picture
from outlay_alerter.notify.configured_channel import ConfiguredChannel, Secrets
from outlay_alerter.notify.http_post import HttpPoster, read_networks
from outlay_alerter.notify.outbox import Outbox
from outlay_alerter.settings import Settings
from outlay_kit.clock import Clock
from outlay_schemas.catalog import channels as schema

_MODULES = [import_module(f"{channels.__name__}.{one.name}") for one in iter_modules(channels.__path__)]
KINDS: Mapping[str, ChannelKind] = {
    get_args(one.KIND.spec.model_fields["type"].annotation)[0]: one.KIND
    for one in _MODULES
    if hasattr(one, "KIND")
}


def of_catalog(
    spec: schema.Channel, settings: Settings, clock: Clock, threads: Outbox | None = None,
    picture: Picture | None = None,
) -> Channel:  # fmt: skip
    """Return a channel of the catalog. Problems with its secrets show when it is used."""
    context = ChannelContext(settings, http_poster(settings), clock, threads, picture)
    build = KINDS[spec.type].build
    return ConfiguredChannel(spec, lambda known: build(known, context), Secrets(settings.secret_paths))


def remote(settings: Settings, clock: Clock) -> list[Channel]:
    """Return the channels of the settings, which lead to people and to other systems."""
    context = ChannelContext(settings, http_poster(settings), clock)
    return [channel for kind in KINDS.values() if (channel := kind.from_settings(context)) is not None]


def http_poster(settings: Settings) -> HttpPoster:
    """Return what posts to the receivers that the settings allow."""
    return HttpPoster(read_networks(settings.allow_networks), settings.channel_seconds)
