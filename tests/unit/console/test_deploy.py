"""What deploy/ says of metrics is what the services serve: every name, every label, every value of an outcome."""

import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY

from outlay_console.money_metrics import SERIES

ROOT = Path(__file__).parents[3]
FILES = ("outlay", "money")
GROUPS = [
    group
    for name in FILES
    for group in yaml.safe_load((ROOT / f"deploy/prometheus/{name}.rules.yml").read_text("utf-8"))["groups"]
]
PROMETHEUS = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text("utf-8"))
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/outlay-itself.json").read_text("utf-8"))
MODULES = (
    "outlay_kit.loop",
    "outlay_kit.stalled_partitions",
    "outlay_ingest.metrics",
    "outlay_pricer.metrics",
    "outlay_aggregator.metrics",
    "outlay_console.metrics",
)
OURS_OF_PROMETHEUS = {"up": {"job", "instance"}, "process_resident_memory_bytes": set[str]()}
ALL = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
RECORDED = {rule["record"]: rule["expr"] for group in GROUPS for rule in group["rules"] if "record" in rule}
EXPRESSIONS = {
    **{name: rule["expr"] for name, rule in ALL.items()},
    **RECORDED,
    **{f"panel {p['title']} {t['refId']}": t["expr"] for p in DASHBOARD["panels"] for t in p["targets"]},
}


def known() -> Mapping[str, set[str]]:
    """Return the labels of every metric, by each name that Prometheus keeps of it."""
    for module in MODULES:
        importlib.import_module(module)
    found: dict[str, set[str]] = dict(OURS_OF_PROMETHEUS)
    found |= {name: set(labels) for name, (_, labels) in SERIES.items()}
    for name, expr in RECORDED.items():
        found[name] = {m for s in selectors(promql_parser.parse(expr)) for m in found[s.name]}
    for collector in list(REGISTRY._collector_to_names):
        labels = set(getattr(collector, "_labelnames", ()))
        for name in REGISTRY._collector_to_names[collector]:
            found[name] = labels | ({"le"} if name.endswith("_bucket") else set())
    return found


def selectors(node: Any) -> Iterator[Any]:
    """Yield every selector of a metric in a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "args", "vector_selector", "vs", "param"):
        child = getattr(node, name, None)
        if isinstance(child, list):
            for item in child:
                yield from selectors(item)
        elif child is not None and not isinstance(child, str | float | int):
            yield from selectors(child)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_metric_and_label_that_is_asked_for_exists(name: str) -> None:
    parsed = promql_parser.parse(EXPRESSIONS[name])
    metrics = known()
    found = list(selectors(parsed))
    assert found
    for selector in found:
        assert selector.name in metrics, f"{selector.name} is served by no service"
        for matcher in selector.matchers.matchers:
            assert matcher.name in metrics[selector.name] | {"job", "instance"}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_no_metric_escapes_the_test_before(name: str) -> None:
    """By another way: the words that look like ours, whatever the parser made of the expression."""
    words = set(re.findall(r"\boutlay[_:][a-z0-9_:]+", EXPRESSIONS[name]))
    assert words == {s.name for s in selectors(promql_parser.parse(EXPRESSIONS[name]))} - set(
        OURS_OF_PROMETHEUS
    )


def test_outcomes_that_rules_ask_for_are_ones_that_are_counted() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "services").glob("*/outlay_*/**/*.py"))
    asked = {
        value
        for expr in EXPRESSIONS.values()
        for text in re.findall(r'outcome=~?"([^"]+)"', expr)
        for value in text.split("|")
    }
    assert asked
    for value in asked:
        assert f'labels("{value}")' in source


@pytest.mark.parametrize("name", ALL)
def test_each_rule_says_what_it_means_and_what_to_do(name: str) -> None:
    rule = ALL[name]
    assert set(rule["annotations"]) == {"summary", "description"}
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert re.fullmatch(r"Outlay[A-Z][A-Za-z]+", name)


def test_prometheus_reads_the_rules_and_asks_every_service_of_the_composition() -> None:
    assert PROMETHEUS["rule_files"] == ["outlay.rules.yml"]
    jobs = {c["job_name"]: c["static_configs"][0]["targets"] for c in PROMETHEUS["scrape_configs"]}
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    services = {
        name
        for name, service in compose["services"].items()
        if re.search(r"outlay_|outlay\.setup", " ".join(map(str, service.get("command", []))))
    }
    assert set(jobs) == {f"outlay-{name}" for name in services}
    assert all(targets == [f"{job.removeprefix('outlay-')}:9400"] for job, targets in jobs.items())


def test_each_alert_is_raised_by_a_case_of_promtools_tests_with_its_own_words() -> None:
    """`promtool test rules` runs them; here no alert is forgotten, and none is asked for that is gone."""
    raised: dict[str, list[Any]] = {}
    for name in FILES:
        cases = yaml.safe_load((ROOT / f"deploy/prometheus/tests/{name}.test.yml").read_text("utf-8"))
        for case in (case for test in cases["tests"] for case in test["alert_rule_test"]):
            raised.setdefault(case["alertname"], []).extend(case["exp_alerts"])
    assert set(raised) == set(ALL)
    for name, alerts in raised.items():
        assert alerts, f"no series of the tests raises {name}"
        assert all(alert["exp_annotations"].keys() == ALL[name]["annotations"].keys() for alert in alerts)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
@pytest.mark.parametrize("name", FILES)
def test_promtool_accepts_the_rules_and_passes_their_tests(name: str) -> None:
    folder = ROOT / "deploy/prometheus"
    for words in (("check", f"{name}.rules.yml"), ("test", f"tests/{name}.test.yml")):
        done = subprocess.run(
            ["promtool", words[0], "rules", words[1]], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
