"""Which channels there are: those that are always there, those of the settings, those of the catalog."""

from functools import partial

from outlay_alerter.notify.addresses import read_networks
from outlay_alerter.notify.channels.builtin import Bus, Console
from outlay_alerter.notify.channels.email import Email, Server
from outlay_alerter.notify.channels.others import Alertmanager, AlertmanagerApi, PagerDuty
from outlay_alerter.notify.channels.slack import Slack
from outlay_alerter.notify.channels.slack_bot import SlackBot, ThreadStore
from outlay_alerter.notify.channels.teams import Teams
from outlay_alerter.notify.channels.webhook import Webhook
from outlay_alerter.notify.channels.webhook_body import read_secrets
from outlay_alerter.notify.configured_channel import ConfiguredChannel
from outlay_alerter.notify.delivery_worker import Channel
from outlay_alerter.notify.http_post import HttpPoster
from outlay_alerter.notify.pictures import Picture
from outlay_alerter.notify.secrets import Secrets
from outlay_alerter.settings import Settings
from outlay_kit.clock import Clock
from outlay_kit.kafka import RecordSink
from outlay_schemas.catalog import channels as schema

_PAGERDUTY = {
    "us": "https://events.pagerduty.com/v2/enqueue",
    "eu": "https://events.eu.pagerduty.com/v2/enqueue",
}


def near(sink: RecordSink) -> list[Channel]:
    """Return the channels that are always there: the bus and the log."""
    return [Bus(sink), Console()]


def remote(settings: Settings, clock: Clock) -> list[Channel]:
    """Return the channels of the settings, which lead to people and to other systems."""
    poster = _poster(settings)
    found: list[Channel] = []
    if url := settings.webhook_url.get_secret_value():
        secrets = read_secrets(settings.webhook_secret.get_secret_value())
        found.append(Webhook(url, secrets, poster, clock))
    if url := settings.slack_url.get_secret_value():
        found.append(Slack(url, poster))
    if key := settings.pagerduty_key.get_secret_value():
        found.append(PagerDuty(key, settings.pagerduty_url, settings.pagerduty_severity, poster))
    if url := settings.alertmanager_url.get_secret_value():
        found.append(Alertmanager(url, poster))
    return found


def of_catalog(
    spec: schema.Channel, settings: Settings, clock: Clock, threads: ThreadStore, picture: Picture
) -> Channel:
    """Return a channel of the catalog. Whatever is wrong with its secrets shows when it is used."""
    make = partial(_made, settings=settings, clock=clock, threads=threads, picture=picture)
    return ConfiguredChannel(spec, make, Secrets(settings.secret_paths))


def _made(
    spec: schema.Channel, *, settings: Settings, clock: Clock, threads: ThreadStore, picture: Picture
) -> Channel:
    """Build a channel whose secrets stand in it. Raises ValueError, which never shows one."""
    poster, name = _poster(settings), spec.id
    found: Channel
    match spec:
        case schema.WebhookChannel():
            found = Webhook(_url(spec.url), read_secrets(spec.secret), poster, clock, name)
        case schema.SlackChannel():
            found = Slack(_url(spec.url), poster, name)
        case schema.SlackBotChannel():
            drawn = picture if spec.picture else None
            found = SlackBot(
                name, spec.token, spec.channel, poster, threads=threads, picture=drawn, api=settings.slack_api
            )
        case schema.TeamsChannel():
            found = Teams(name, _url(spec.url), poster)
        case schema.EmailChannel():
            server = Server(
                spec.host, spec.port, spec.security, spec.username, spec.password or "", poster.allowed,
                poster.seconds,
            )  # fmt: skip
            drawn = picture if spec.picture else None
            found = Email(name, server, spec.sender, spec.to, clock=clock, picture=drawn)
        case schema.PagerDutyChannel():
            # What is too little to wake somebody was left out when it was routed.
            found = PagerDuty(spec.routing_key, _PAGERDUTY[spec.region], "info", poster, name)
        case schema.AlertmanagerChannel():
            kind = AlertmanagerApi if spec.api == "v2" else Alertmanager
            found = kind(_url(spec.url), poster, name)
    return found


def _url(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise ValueError("its URL begins neither with https:// nor with http://")
    return text


def _poster(settings: Settings) -> HttpPoster:
    return HttpPoster(read_networks(settings.allow_networks), settings.channel_seconds)
