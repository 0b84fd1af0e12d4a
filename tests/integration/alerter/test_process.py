"""P13: the alerter as a process on the real bus and engine, killed between send and mark, away, replaced."""

import base64
import json
import signal
import threading
import uuid
from decimal import Decimal
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from tests.support.processes import Service, tail
from tests.support.promises import Tally
from tests.support.receiver import Receiver, receiving
from tests.support.rollup_rows import spend
from tests.support.stack import environment
from tests.support.waiting import until

from outlay.catalog.publish import newest, publish
from outlay.embedded.ports import free_port
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.kafka import KafkaSink, deliver
from outlay_kit.keys import KeyFile
from outlay_kit.settings import ClickHouseSettings, KafkaSettings
from outlay_schemas.alerts import alert_decoder
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.events import encoder
from outlay_schemas.topics import ALERTS, ROLLUPS
from outlay_sdk import BudgetStatus, budget_status

pytestmark = pytest.mark.stack

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


class AlerterProcess(Service):
    """An alerter with a group, a tenant and a budget of 10 USD of its own."""

    def __init__(self, kafka: KafkaSettings, house: ClickHouseSettings, folder: Path, url: str) -> None:
        self.kafka, self.clickhouse = kafka, ClickHouseClient(house)
        self.tenant = f"a-{uuid.uuid4().hex[:8]}"
        self.version = 0
        catalog = newest(kafka)
        assert catalog is not None
        budget = Budget(id=self.tenant, name="B", tenant=self.tenant, amount=Decimal(10))
        publish(kafka, catalog.model_copy(update={"budgets": (budget,), "rules": ()}), SystemClock())
        env = {
            **environment(kafka, house),
            "OUTLAY_ALERTER_GROUP": f"alerter-{self.tenant}",
            "OUTLAY_ALERTER_WEBHOOK_URL": url,
            "OUTLAY_ALERTER_WEBHOOK_SECRET": SECRET,
            "OUTLAY_ALERTER_ALLOW_NETWORKS": "127.0.0.0/8",
            "OUTLAY_ALERTER_LINGER_SECONDS": "0.1",
        }
        super().__init__("outlay_alerter.main", folder / "alerter.log", env)

    def spend(self, cost: str, tell: bool = True) -> None:
        """Let the tenant have spent `cost` this minute, and tell Kafka."""
        now = SystemClock().now()
        self.version += 1
        spend(self.clickhouse, cost, at=now, version=self.version, tenant=self.tenant)
        if tell:
            sink = KafkaSink(self.kafka)
            window = now.replace(second=0, microsecond=0)
            body = encoder.encode({"tenant": self.tenant, "grain": "minute", "window": window})
            deliver(sink, ROLLUPS.name, [body])
            sink.close()

    def waiting(self) -> int:
        rows = self.clickhouse.rows("SELECT count() AS n FROM alert_outbox FINAL WHERE state = 'waiting'")
        return int(rows[0]["n"])


def ids(receiver: Receiver) -> list[str]:
    return [got.headers["webhook-id"] for got in receiver.got]


def test_p13_killed_between_send_and_mark_the_receiver_sees_one_id_twice(
    kafka: KafkaSettings, house: ClickHouseSettings, tmp_path: Path, tally: Tally
) -> None:
    with receiving() as receiver:
        alerter = AlerterProcess(kafka, house, tmp_path, receiver.url)
        alerter.env["OUTLAY_FAILPOINT"] = "after_send"
        alerter.start()
        alerter.spend("6")
        until(alerter.ended, 30, "killed between send and mark")
        assert alerter.running.returncode == -signal.SIGKILL
        alerter.spend("8", tell=False)  # a breach while no alerter runs
        alerter.env["OUTLAY_FAILPOINT"] = ""
        alerter.start()
        until(lambda: len(receiver.got) == 3 and alerter.waiting() == 0, 30, "both alerts")
        assert alerter.stop() == 0
        alerter.start()  # a restart tells nothing again
        alerter.spend("8.5")
        with tail(kafka, ALERTS.name, alerter.tenant) as reading:
            reading.wait(lambda records: len(records) >= 2)
            levels = {alert_decoder.decode(r.value).level for r in reading.records}
        assert alerter.stop() == 0
    assert levels == {"50", "80"}
    for got in receiver.got:
        Verifier(SECRET).verify(got.body, got.headers)
    assert len(ids(receiver)) == 3
    assert len(set(ids(receiver))) == 2
    bodies = {got.headers["webhook-id"]: got.body for got in receiver.got}
    assert all(got.body == bodies[got.headers["webhook-id"]] for got in receiver.got)
    tally("P13", "alerter killed between send and mark: alerts not sent once under one id", 2, 1, 0)


@pytest.mark.chaos
def test_p13_negative_control_a_mark_before_the_send_loses_an_alert(
    kafka: KafkaSettings, house: ClickHouseSettings, tmp_path: Path, tally: Tally
) -> None:
    with receiving() as receiver:
        alerter = AlerterProcess(kafka, house, tmp_path, receiver.url)
        alerter.module = "tests.support.chaos.broken"
        alerter.env |= {"OUTLAY_BROKEN": "mark before the send", "OUTLAY_FAILPOINT": "before_ack"}
        alerter.start()
        alerter.spend("6")
        until(alerter.ended, 30, "killed between mark and send")
        assert alerter.running.returncode == -signal.SIGKILL
        alerter.env["OUTLAY_FAILPOINT"] = ""
        alerter.start()
        alerter.spend("9")
        until(lambda: receiver.got and alerter.waiting() == 0, 30, "the second alert")
        assert alerter.stop() == 0
    sent = {json.loads(got.body)["data"]["level"] for got in receiver.got}
    lost = {"50", "80"} - sent
    tally.control("P13", "marked as sent before it is sent: alerts lost", 2, 1, len(lost))
    assert lost == {"50"}


def test_a_new_budget_that_is_already_spent_fires_without_new_events(
    kafka: KafkaSettings, house: ClickHouseSettings, tmp_path: Path
) -> None:
    with receiving() as receiver:
        alerter = AlerterProcess(kafka, house, tmp_path, receiver.url)
        alerter.spend("4")  # of 10
        alerter.start()
        catalog = newest(kafka)
        assert catalog is not None
        smaller = Budget(
            id=f"{alerter.tenant}-2",
            name="C",
            tenant=alerter.tenant,
            amount=Decimal(5),
            thresholds=(Decimal(80),),
        )
        publish(kafka, catalog.model_copy(update={"budgets": (smaller,)}), SystemClock())
        until(lambda: len(receiver.got) == 1, 15, "the alert under the new catalog")  # ticks come every 30 s
        assert alerter.stop() == 0


def test_a_receiver_that_hangs_stops_neither_evaluation_nor_the_other_channels(
    kafka: KafkaSettings, house: ClickHouseSettings, tmp_path: Path
) -> None:
    with receiving() as receiver:
        receiver.hang = threading.Event()
        alerter = AlerterProcess(kafka, house, tmp_path, receiver.url)
        alerter.start()
        with tail(kafka, ALERTS.name, alerter.tenant) as reading:
            alerter.spend("6")
            reading.wait(lambda records: len(records) == 1)
            alerter.spend("9")
            reading.wait(lambda records: len(records) == 2)
        until(lambda: len(receiver.got) == 1, 30, "the message that hangs")
        receiver.hang.set()
        until(lambda: alerter.waiting() == 0, 30, "the webhook")
        assert alerter.stop() == 0
    assert len(set(ids(receiver))) == 2


def test_of_two_alerters_one_tells_and_the_other_takes_over(
    kafka: KafkaSettings, house: ClickHouseSettings, tmp_path: Path
) -> None:
    with receiving() as receiver:
        first = AlerterProcess(kafka, house, tmp_path, receiver.url)
        first.start()
        first.spend("6")
        until(lambda: len(receiver.got) == 1, 30, "the first alert")
        second = Service("outlay_alerter.main", tmp_path / "second.log", first.env)
        second.start()
        first.kill()
        first.spend("9")
        until(lambda: len(receiver.got) == 2, 40, "the second alert, by the other")
        assert second.stop() == 0
    assert len(set(ids(receiver))) == 2


def test_programs_ask_how_a_budget_stands_before_and_after_it_is_used_up(
    kafka: KafkaSettings, house: ClickHouseSettings, tmp_path: Path
) -> None:
    with receiving() as receiver:
        alerter, port = AlerterProcess(kafka, house, tmp_path, receiver.url), free_port()
        key = KeyFile(tmp_path / "keys.json").create(alerter.tenant, ("ingest",), SystemClock().now())
        alerter.env |= {
            "OUTLAY_ALERTER_PORT": str(port),
            "OUTLAY_ALERTER_KEYS_FILE": str(tmp_path / "keys.json"),
        }
        alerter.spend("6")
        alerter.start()

        def status() -> BudgetStatus:
            url = f"http://127.0.0.1:{port}"
            return budget_status(alerter.tenant, url=url, api_key=key, strict=True, timeout=10)

        until(lambda: status().known, 30, "an answer")
        assert (status().allowed, status().body["spent"]) == (True, "6")
        alerter.spend("11", tell=False)
        assert (status().allowed, status().body["remaining"]) == (False, "-1")
        alerter.kill()
        alerter.spend("183", tell=False)
        alerter.start()

        answers: list[BudgetStatus] = []

        def answered() -> bool:
            url = f"http://127.0.0.1:{port}"
            answers.append(budget_status(alerter.tenant, url=url, api_key=key, timeout=10))
            return bool(answers[-1].body)

        until(answered, 30, "an answer after the restart")
        again = answers[-1]  # the first that there is
        assert (again.known, again.allowed, again.body["percent"]) == (True, False, "1830.00")
        assert alerter.stop() == 0
