"""Which channels there are, by the settings."""

from outlay_alerter.adapters.http import Poster
from outlay_alerter.adapters.near import Bus, Console
from outlay_alerter.adapters.others import Alertmanager, PagerDuty
from outlay_alerter.adapters.slack import Slack
from outlay_alerter.adapters.webhook import Webhook
from outlay_alerter.couriers import Channel
from outlay_alerter.domain.addresses import read_networks
from outlay_alerter.domain.signing import read_secrets
from outlay_alerter.settings import Settings
from outlay_kit.clock import Clock
from outlay_kit.kafka import RecordSink


def channels(settings: Settings, sink: RecordSink, clock: Clock) -> list[Channel]:
    """Return every channel: the bus, the log, and those that the settings name."""
    return [Bus(sink), Console(), *remote(settings, clock)]


def remote(settings: Settings, clock: Clock) -> list[Channel]:
    """Return the channels that lead to people and to other systems."""
    poster = Poster(read_networks(settings.allow_networks), settings.channel_seconds)
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
