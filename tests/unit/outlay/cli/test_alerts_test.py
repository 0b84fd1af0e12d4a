"""`outlay alerts test` says what a Slack app still needs for buttons that act."""

from pathlib import Path

import pytest
from tests.support.slack_api import CHANNEL, TOKEN, slack_api
from tests.support.slack_presses import SIGNING_SECRET
from typer.testing import CliRunner

from outlay.cli.alerts import app


@pytest.mark.parametrize(
    ("secret", "hint"),
    [
        ("", "set OUTLAY_ALERTER_SLACK_SIGNING_SECRET"),
        (SIGNING_SECRET, "https://…/slack/actions, leads to the alerter at 127.0.0.1:8089"),
    ],
)
def test_a_sample_in_slack_comes_with_what_its_buttons_need(
    secret: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = (
        f"- {{id: oncall, type: slack_bot, token: '${{env:OUTLAY_CHANNEL_ONCALL}}', channel: {CHANNEL}}}\n"
    )
    (tmp_path / "channels.yaml").write_text(channel)
    with slack_api() as slack:
        for name, value in {
            "OUTLAY_CHANNEL_ONCALL": TOKEN, "OUTLAY_ALERTER_SLACK_API": slack.url,
            "OUTLAY_ALERTER_ALLOW_NETWORKS": "127.0.0.0/8", "OUTLAY_ALERTER_SLACK_SIGNING_SECRET": secret,
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        done = CliRunner().invoke(app, ["test", "oncall", "--catalog", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert hint in done.output
    (sample,) = slack.messages.values()
    assert ("outlay_acknowledge" in str(sample)) == bool(secret)
    assert SIGNING_SECRET not in done.output
