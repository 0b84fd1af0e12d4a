"""Budgets, rules and mute windows that name each other: each problem has its line and its fix."""

import json
from pathlib import Path

from typer.testing import CliRunner

from outlay.catalog import check
from outlay.cli.catalog import app

BUDGETS = """
- {id: all, name: All, amount: 100}
- id: growth
  name: Growth
  amount: 10
  depends_on: [al]
"""
RULES = """
- {type: silence, id: growth, name: S}
- {type: threshold, id: a, name: A, metric: cost, above: 1, depends_on: b}
- {type: threshold, id: b, name: B, metric: cost, above: 1, depends_on: [a]}
"""
MUTES = """
- {id: m, days: [mon], rules: [no-rule]}
- {id: m, days: [mon]}
- {id: n}
"""


def test_what_the_watch_names_exists_and_leads_to_no_circle(tmp_path: Path) -> None:
    (tmp_path / "budgets.yaml").write_text(BUDGETS)
    (tmp_path / "rules.yaml").write_text(RULES)
    assert [str(problem) for problem in check(tmp_path)] == [
        "budgets.yaml:6: [1].depends_on: nothing is called al here — did you mean all?",
        "rules.yaml:2: [0].id: a budget is called growth too — give it a name of its own",
        (
            "rules.yaml:3: [1].depends_on: a depends on itself — remove one of these: while both fire, neither"
            " would notify anyone"
        ),
        (
            "rules.yaml:4: [2].depends_on: b depends on itself — remove one of these: while both fire, neither"
            " would notify anyone"
        ),
    ]


def test_a_mute_window_ends_and_names_a_rule(tmp_path: Path) -> None:
    (tmp_path / "mute_time_intervals.yaml").write_text(MUTES)
    (problem,) = check(tmp_path)
    assert "mute_time_intervals.yaml:4" in str(problem)
    assert "it would never end" in str(problem)
    (tmp_path / "mute_time_intervals.yaml").write_text(MUTES.replace("- {id: n}", ""))
    assert [str(problem).partition(" —")[0] for problem in check(tmp_path)] == [
        "mute_time_intervals.yaml:2: [0].rules: nothing is called no-rule here",
        "mute_time_intervals.yaml:3: [1]: m is already on line 2",
    ]


WRONG = """
- type: treshold
  id: a
  name: A
  metric: cost
- type: threshold
  id: b
  name: B
  metric: costs
  abov: 5
- type: anomaly
  id: c
  name: C
  group_by: [teem]
  holidays: [2026-13-01]
  scope: {tag.env: prod}
"""


def test_what_is_wrong_with_a_rule_is_reported_with_its_line_and_its_fix(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(WRONG)
    (tmp_path / "mute_time_intervals.yaml").write_text(
        "- {id: m, between: [22:30, 25:00]}\n- {id: n, days: [monday]}"
    )
    said = [(p.file, p.line, f"{p.message} {p.hint}") for p in check(tmp_path)]
    for file, line, words in (
        ("mute_time_intervals.yaml", 1, "write a time of the day as 22:30"),
        ("mute_time_intervals.yaml", 2, "did you mean mon?"),
        ("rules.yaml", 2, "did you mean threshold?"),
        ("rules.yaml", 9, "did you mean cost?"),
        ("rules.yaml", 10, "did you mean above?"),
        ("rules.yaml", 14, "teem is not a dimension; did you mean team?"),
        ("rules.yaml", 15, "write a date"),
        ("rules.yaml", 16, "did you mean tags.env?"),
    ):
        assert any(f == file and n == line and words in text for f, n, text in said), (line, words, said)


def test_budgets_and_rules_of_hours_and_days_without_a_time_zone_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        "- {type: anomaly, id: none, name: N}\n"
        "- {type: anomaly, id: given, name: G, timezone: UTC}\n"
        "- {type: anomaly, id: minutes, name: M, grain: minute}\n"
    )
    (tmp_path / "budgets.yaml").write_text(
        "- {id: monthly, name: M, amount: 5}\n- {id: hourly, name: H, amount: 5, period: hour}\n"
    )
    answer = CliRunner().invoke(app, ["check", str(tmp_path), "--json"])
    assert answer.exit_code == 0
    warnings = json.loads(answer.stdout)["warnings"]
    assert [text.partition(" states")[0] for text in warnings] == ["budget monthly", "rule none"]
    shown = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert "rule none states no timezone" in " ".join(shown.output.split())
    assert json.loads(CliRunner().invoke(app, ["check", "--json"]).stdout)["warnings"] == []
