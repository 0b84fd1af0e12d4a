"""Wires the alerter. Run as `python -m outlay_alerter.main`; see settings.py for its environment."""

import threading
from collections.abc import Callable
from functools import partial

from starlette.applications import Starlette

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.budget_api.http import BudgetStatusApi
from outlay_alerter.budget_api.service import BudgetStatusService, BudgetStatusStore
from outlay_alerter.budget_reader import BudgetReader
from outlay_alerter.digests import DigestScheduler
from outlay_alerter.http_server import application, serve
from outlay_alerter.leader_election import LeadingSource
from outlay_alerter.notify.channel import Channel
from outlay_alerter.notify.channel_registry import http_poster, remote
from outlay_alerter.notify.channels.builtin import KafkaChannel, LogChannel
from outlay_alerter.notify.delivery_manager import DeliveryManager
from outlay_alerter.service import Alerter, CatalogFollower
from outlay_alerter.settings import Settings
from outlay_alerter.slack_actions.actions import RESPONSE_URLS, SlackActions
from outlay_alerter.slack_actions.http import SlackActionsApi
from outlay_alerter.slack_actions.requests import Verifier
from outlay_alerter.watchlist import Watchlist, compile_watchlist
from outlay_kit.catalog_feed import CatalogFeed
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.kafka import KafkaSink
from outlay_kit.keys import KeyRing
from outlay_kit.loop import Bounds, Loop, Stopped, Timer
from outlay_kit.migrator import migrate
from outlay_kit.revocations import follow_ends
from outlay_kit.service import Service
from outlay_kit.telemetry import get_logger
from outlay_reports.adapters.forecast_cache import ForecastCache
from outlay_schemas.topics import ROLLUPS

log = get_logger(__name__)


def main(
    channels: Callable[[Settings, Clock], list[Channel]] = remote, response_urls: str = RESPONSE_URLS
) -> None:
    """Migrate, wait for a catalog, evaluate everything once, then work until asked to stop.

    `channels` makes those of the settings; `response_urls` is how the addresses begin at which Slack takes replies.
    """
    service = Service("alerter", Settings)
    settings, clock, health = service.settings, service.clock, service.health
    stop = service.stop.on_signals()
    feed = CatalogFeed(settings.kafka, compile_watchlist, clock).start()
    try:
        service.persist(lambda: migrate(settings.clickhouse))
        sink = service.persist(lambda: KafkaSink(settings.kafka))
        while not feed.wait(0.5):
            if stop.asked():
                return
        leading: list[LeadingSource] = []
        board = DeliveryManager(settings, clock, stop.asked, lambda: any(source.leads for source in leading))
        board.add_fixed([KafkaChannel(sink), LogChannel(), *channels(settings, clock)])
        board.follow(feed.current().catalog)
        clickhouse, outlook = ClickHouseClient(settings.clickhouse), ForecastCache()
        sums, statuses = RollupReader(clickhouse), BudgetStatusStore(clickhouse)
        new_reader = partial(_budget_reader, settings, outlook, clock)
        desk = BudgetStatusService(new_reader, feed.current, clock, settings.status_seconds)
        alerter = Alerter(
            sums, Store(clickhouse), clock,
            watchlist=feed.current, channels=board.fixed, routed=board.route,
            decided=board.wake, renotify=settings.renotify, console=settings.console_url,
            most_scopes=settings.most_scopes, outlook=outlook, stood=desk.learn,
        )  # fmt: skip
        if settings.keys_file is not None:
            # How budgets stood before the restart, then how they stand now: before anything slower is done.
            service.persist(lambda: desk.learn(statuses.read()))
        if settings.keys_file is not None or settings.slack_signing_secrets:
            slack = _slack_api(settings, clock, feed, response_urls)
            serve(_api(settings, clock, desk, slack), settings.host, settings.port)
        if settings.keys_file is not None:
            service.persist(lambda: _learn(desk, new_reader(), sums, feed.current()))
        service.persist(alerter.evaluate_all)
        source = service.persist(lambda: LeadingSource(settings.kafka, settings.group, [ROLLUPS.name]))
    except Stopped:
        return
    leading.append(source)
    follower = CatalogFollower(alerter, feed, board.follow)
    timer = Timer(
        follower.tick, settings.tick_seconds, clock, active=lambda: source.leads, wanted=follower.is_behind
    )
    board.start()
    reviewer = DigestScheduler(
        ClickHouseClient(settings.clickhouse), clock, lambda: feed.current().catalog,
        called=board.wake, console=settings.console_url,
    )  # fmt: skip
    threading.Thread(
        target=reviewer.run, args=(stop.asked, lambda: source.leads), name="reviews", daemon=True
    ).start()
    bounds = Bounds(linger=settings.linger_seconds)
    Loop(source, follower.handle, clock=clock, health=health, stop=stop, bounds=bounds, timer=timer).run()
    board.join()
    sink.close()


def _api(settings: Settings, clock: Clock, desk: BudgetStatusService, slack: SlackActionsApi) -> Starlette:
    """Return what the alerter serves: the budgets, if there are API keys, and the buttons of Slack."""
    if settings.keys_file is None:
        return application(slack.routes())
    keys = KeyRing(settings.keys_file, clock)
    follow_ends(settings.kafka, keys, clock)
    budgets = BudgetStatusApi(desk, keys, clock)
    return application([*budgets.routes(), *slack.routes()], [budgets.refresh_keys])


def _slack_api(
    settings: Settings, clock: Clock, feed: CatalogFeed[Watchlist], response_urls: str
) -> SlackActionsApi:
    if not settings.slack_signing_secrets:
        return SlackActionsApi()
    clickhouse, poster = ClickHouseClient(settings.clickhouse), http_poster(settings)
    actions = SlackActions(clickhouse, lambda: feed.current().catalog, poster, clock, response_urls)
    return SlackActionsApi(Verifier(settings.slack_signing_secrets, clock), actions.apply)


def _budget_reader(settings: Settings, outlook: ForecastCache, clock: Clock) -> BudgetReader:
    return BudgetReader(RollupReader(ClickHouseClient(settings.clickhouse)), outlook, clock)


def _learn(
    desk: BudgetStatusService, budgets: BudgetReader, sums: RollupReader, watchlist: Watchlist
) -> None:
    for tenant in sums.tenants():
        desk.learn(budgets.standings(watchlist.budgets(tenant)))


if __name__ == "__main__":
    main()
