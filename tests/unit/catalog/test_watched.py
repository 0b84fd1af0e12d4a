"""Budgets, rules and mute windows that name each other: what is wrong is told with its line and its mend."""

from pathlib import Path

from outlay.catalog import check

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
- {id: m, days: [mon], rules: [nobody]}
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
            "rules.yaml:3: [1].depends_on: a depends on itself — take one of these out: while both fire, neither"
            " would be told"
        ),
        (
            "rules.yaml:4: [2].depends_on: b depends on itself — take one of these out: while both fire, neither"
            " would be told"
        ),
    ]


def test_a_mute_window_ends_and_names_a_rule(tmp_path: Path) -> None:
    (tmp_path / "mutes.yaml").write_text(MUTES)
    (problem,) = check(tmp_path)
    assert "mutes.yaml:4" in str(problem)
    assert "it would never end" in str(problem)
    (tmp_path / "mutes.yaml").write_text(MUTES.replace("- {id: n}", ""))
    assert [str(problem).partition(" —")[0] for problem in check(tmp_path)] == [
        "mutes.yaml:2: [0].rules: nothing is called nobody here",
        "mutes.yaml:3: [1]: m is already on line 2",
    ]
