"""Two replicas of ingest that share Kafka and no file, as on Kubernetes: quotas and revocations hold for both."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.processes import Ingest
from tests.support.usage_lines import usage
from tests.support.waiting import until

from outlay_kit.clock import SystemClock
from outlay_kit.keys import Limits
from outlay_kit.settings import KafkaSettings

pytestmark = pytest.mark.stack


def replica(of: Ingest, folder: Path, name: str) -> Ingest:
    """Return another ingest, with a copy of the key file that nothing updates, as a Secret that is mounted late."""
    mounted = folder / name
    mounted.mkdir()
    shutil.copy(folder / "keys.json", mounted / "keys.json")
    mounted.chmod(0o500)
    other = of.twin()
    other.env["OUTLAY_INGEST_KEYS_FILE"] = str(mounted / "keys.json")
    other.start()
    return other


def keys(kafka: KafkaSettings, folder: Path, *words: str) -> None:
    """Run `outlay keys` on the administrator's file."""
    env = {**os.environ, "OUTLAY_KAFKA": kafka.bootstrap}
    command = [sys.executable, "-m", "outlay", "keys", *words, "--keys-file", str(folder / "keys.json")]
    subprocess.run(command, env=env, check=True, capture_output=True)


def batch(start: int) -> bytes:
    return b"\n".join(usage(f"quota-{start + n}") for n in range(10))


def test_a_quota_is_one_for_all_replicas_and_outlives_them(kafka: KafkaSettings, tmp_path: Path) -> None:
    admin = Ingest(kafka, tmp_path)
    admin.key = admin.keys.create(
        admin.tenant, ("ingest",), SystemClock().now(), limits=Limits(events_per_day=100)
    )
    replicas = [replica(admin, tmp_path, name) for name in "ab"]
    statuses = []
    for turn in range(20):  # 200 events, by turns, at ten a second: so is each one's count known to the other
        statuses.append(replicas[turn % 2].post(batch(turn * 10)).status_code)
        time.sleep(1)
    accepted = statuses.count(202) * 10
    assert set(statuses) == {202, 429}
    # Counted apart, all 200 would be accepted. The bound: what the other replica takes in two seconds, and one batch.
    assert 100 <= accepted <= 130, statuses
    for one in replicas:
        one.kill()
    fresh = replica(admin, tmp_path, "c")
    assert fresh.post(batch(1000)).status_code == 429
    assert fresh.post(batch(1000)).json()["code"] == "quota_exceeded"
    fresh.kill()


@pytest.mark.parametrize("command", ["revoke", "rotate"])
def test_a_revoked_key_is_refused_by_every_replica_within_a_second(
    command: str, kafka: KafkaSettings, tmp_path: Path
) -> None:
    admin = Ingest(kafka, tmp_path)
    replicas = [replica(admin, tmp_path, name) for name in "ab"]
    assert [one.post(usage(f"before-{command}")).status_code for one in replicas] == [202, 202]
    key_id = admin.key.split("_")[2]
    keys(kafka, tmp_path, command, key_id, *(["--grace-hours", "0"] if command == "rotate" else []))
    until(lambda: all(one.post(usage("after")).status_code == 401 for one in replicas), 1, "401 everywhere")
    shutil.copy(tmp_path / "a/keys.json", tmp_path / "keys.json")
    late = replica(admin, tmp_path, "c")  # what starts with an old file knows of it too
    assert late.post(usage("late")).status_code == 401
    for one in (*replicas, late):
        one.kill()


def test_a_container_without_the_key_file_can_revoke_too(kafka: KafkaSettings, tmp_path: Path) -> None:
    one = Ingest(kafka, tmp_path)
    one.start()
    assert one.post(usage("emergency")).status_code == 202
    env = {**os.environ, "OUTLAY_KAFKA": kafka.bootstrap}
    command = [sys.executable, "-m", "outlay_kit.revocations", one.key.split("_")[2]]
    subprocess.run(command, env=env, check=True)
    until(lambda: one.post(usage("emergency")).status_code == 401, 1, "401")
    one.kill()
