"""What `outlay catalog check` says of channels, routes and reviews: the file, the line, and the fix."""

from pathlib import Path

import pytest

from outlay.catalog import check

CHANNELS = """- id: growth
  type: slack
  url: ${env:OUTLAY_CHANNEL_GROWTH}
  text: |
    {{ title }}
    {{ actual|usd }} of {{ scope.project }}
- id: pager
  type: pagerduty
  routing_key: ${file:/run/secrets/pagerduty}
"""
ROUTES = """- match: {rule: spike, severity: critical}
  channels: [pager]
- channels: [growth]
"""
REVIEWS = """- id: weekly
  at: 10:30
  channels: [growth]
"""
RULES = "- {type: spend_spike, id: spike, name: Spike, group_by: [project]}\n"


def folder(tmp_path: Path, **changes: str) -> Path:
    texts = {"channels": CHANNELS, "routes": ROUTES, "reviews": REVIEWS, "rules": RULES, **changes}
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_sound_channels_have_no_problem(tmp_path: Path) -> None:
    assert check(folder(tmp_path)) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "message", "hint"),
    [
        ("channels", "{{ actual|usd }}", "{{ actuall }}", 6, "actuall is not a field", "Templates"),
        ("channels", "{{ title }}", "{% if %}", 5, "Expected an expression", "Templates"),
        ("channels", "${env:OUTLAY_CHANNEL_GROWTH}", "https://hooks.slack.com/services/T0/B0/x", 3,
         "a secret must not stand in the catalog", ""),
        ("channels", "  routing_key: ", "  routing_kye: ", 9, "Extra inputs", "did you mean routing_key?"),
        ("channels", "id: pager", "id: growth", 7, "growth is already on line 1", ""),
        ("routes", "[pager]", "[pagre]", 2, "pagre is not in channels.yaml", "did you mean pager?"),
        ("routes", "rule: spike", "rule: spik", 1, "spik is not in rules.yaml", "did you mean spike?"),
        ("routes", "- match: {rule: spike, severity: critical}\\n  channels: [pager]\\n", "", 7,
         "no route leads to pager", "name it in a route"),
        ("routes", "- match: {rule: spike, severity: critical}\\n  channels", "- channels", 2,
         "no alert comes here: the route on line 1 takes every one", "put that one last"),
        ("reviews", "[growth]", "[pager]", 3, "pager is pagerduty, which cannot show a review", "slack"),
        ("reviews", "10:30", "25:30", 2, "match pattern", ""),
        ("channels", "  type: slack\\n", "  type: slack\\n  hide: [user]\\n", 3, "growth hides names", "without hide"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_reported_with_its_line(
    tmp_path: Path, file: str, old: str, new: str, line: int, message: str, hint: str
) -> None:
    good = {"channels": CHANNELS, "routes": ROUTES, "reviews": REVIEWS}[file]
    old, new = old.replace("\\n", "\n"), new.replace("\\n", "\n")
    assert old in good
    problems = [p for p in check(folder(tmp_path, **{file: good.replace(old, new)})) if message in p.message]
    assert [p.line for p in problems] == [line]
    assert hint in problems[0].hint
    assert "hooks.slack.com" not in str(problems)
