"""Draws what Slack shows of the demonstration's incident: the blocks as they are sent, in a page that looks like Slack.

outlay up && outlay demo --exit && python -m docs.pictures.slack docs/pictures
"""

import asyncio
import re
import sys
from base64 import b64encode
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright
from tests.support.browser import ARGS, chromium, save

from outlay.local.state import stores
from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.notify.channels.slack import message, reply
from outlay_alerter.notify.chart import pictures
from outlay_alerter.notify.notification import Notification, OutboxMessage
from outlay_kit.clickhouse import ClickHouseClient
from outlay_schemas.alerts import Alert, alert_decoder
from outlay_schemas.tenants import DEMO_TENANT

_SIGNS = {
    "red_circle": "background:#dd2e44", "large_orange_circle": "background:#f4900c",
    "large_blue_circle": "background:#55acee", "white_check_mark": "background:#77b255;border-radius:4px",
    "eyes": "background:#ccd6dd", "bar_chart": "background:#5c913b;border-radius:2px",
}  # fmt: skip
"""Slack's own pictures are drawn as marks of their colours."""
_STYLE = """
:root { --bg:#fff; --ink:#1d1c1d; --pale:#616061; --line:#ddd; --code:#e01e5a; --box:#f8f8f8; --button:#fff }
body.dark { --bg:#1a1d21; --ink:#d1d2d3; --pale:#ababad; --line:#565856; --code:#e8912d; --box:#232529; --button:#1a1d21 }
* { box-sizing:border-box } body { margin:0; background:var(--bg); color:var(--ink); width:760px;
  font:15px/1.46668 Lato,Inter,'Noto Color Emoji',sans-serif; padding:18px 20px }
.message { display:flex; gap:8px; margin-bottom:14px } .face { flex:none; width:36px; height:36px; border-radius:6px;
  background:#2a6fbb; color:#fff; font-weight:700; text-align:center; line-height:36px; font-size:19px }
.who b { font-weight:800 } .who i { font:10px Inter; background:var(--line); border-radius:2px; padding:1px 3px; margin:0 4px }
.who span { color:var(--pale); font-size:12px } .block { margin-top:8px } i.sign { display:inline-block; width:.85em; height:.85em; border-radius:50%; vertical-align:-.08em }
h3 { font-size:18px; margin:0; font-weight:800 }
.fields { display:grid; grid-template-columns:1fr 1fr; gap:8px } .context { color:var(--pale); font-size:13px }
code { color:var(--code); background:var(--box); border:1px solid var(--line); border-radius:3px; padding:1px 3px; font-size:12px }
.button { display:inline-block; border:1px solid var(--line); border-radius:4px; padding:5px 12px; font-weight:700;
  background:var(--button); font-size:14px } .button.danger { background:#e01e5a; border-color:#e01e5a; color:#fff }
.button.primary { background:#007a5a; border-color:#007a5a; color:#fff }
img { width:430px; border:1px solid var(--line); border-radius:8px; margin-top:6px; display:block }
.thread { border-left:3px solid var(--line); margin-left:44px; padding-left:12px }
"""


def mrkdwn(text: str) -> str:
    """Show Slack's markup: what it escapes is escaped in HTML, too."""
    text = re.sub(r"<!date\^(\d+)\^[^|]*\|[^>]*>", lambda found: _clock(int(found[1])), text)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*([^*\n]+)\*", r"<b>\1</b>", text)
    return _emoji(text).replace("\n", "<br>")


def _clock(at: int) -> str:
    when = datetime.fromtimestamp(at, UTC)
    return f"{when:%b} {when.day} at {when.strftime('%I:%M %p').lstrip('0')}"


def _emoji(text: str) -> str:
    def sign(found: re.Match[str]) -> str:
        look = _SIGNS.get(found[1])
        return f'<i class="sign" style="{look}"></i>' if look else found[0]

    return re.sub(r":(\w+):", sign, text)


def block(one: dict[str, Any]) -> str:
    """Show one block."""
    kind = one["type"]
    if kind == "header":
        plain = one["text"]["text"].replace("&", "&amp;").replace("<", "&lt;")
        return f'<div class="block"><h3>{_emoji(plain)}</h3></div>'
    if kind == "section" and "fields" in one:
        cells = "".join(f"<div>{mrkdwn(field['text'])}</div>" for field in one["fields"])
        return f'<div class="block fields">{cells}</div>'
    if kind == "section":
        return f'<div class="block">{mrkdwn(one["text"]["text"])}</div>'
    if kind == "actions":
        found = (
            f'<span class="button {e.get("style", "")}">{e["text"]["text"]}</span>' for e in one["elements"]
        )
        return f'<div class="block">{" ".join(found)}</div>'
    return f'<div class="block context">{" ".join(mrkdwn(e["text"]) for e in one["elements"])}</div>'


def post(blocks: list[dict[str, Any]], at: datetime, more: str = "") -> str:
    """Show a message."""
    when = at.strftime("%I:%M %p").lstrip("0")
    who = f'<div class="who"><b>Outlay</b><i>APP</i><span>{when}</span></div>'
    body = "".join(map(block, blocks)) + more
    return f'<div class="message"><div class="face">$</div><div>{who}{body}</div></div>'


def incident() -> tuple[list[Alert], list[Alert], bytes | None]:
    """Return the alerts of the incident with the most parts, those of its end if it is over, and its chart."""
    clickhouse = ClickHouseClient(stores()[1])
    rows = clickhouse.rows(
        "SELECT tenant, message_id, channel, body, attempt, version, batch_id, toString(created_at) AS created"
        " FROM alert_outbox FINAL WHERE channel = 'bus' AND tenant = {t:String} ORDER BY created_at",
        {"t": DEMO_TENANT},
    )
    found: dict[str, list[tuple[Alert, dict[str, Any]]]] = {}
    for row in rows:
        alert = alert_decoder.decode(row["body"])
        found.setdefault(alert.incident.id if alert.incident else alert.id, []).append((alert, row))
    parts = max(found.values(), key=len)
    open_ones = [(alert, row) for alert, row in parts if alert.state == "firing"]
    sent = tuple(OutboxMessage(**row) for _, row in open_ones)
    alerts = [alert for alert, _ in open_ones]
    chart = pictures(RollupReader(clickhouse))(Notification(sent[0].message_id, sent, tuple(alerts)))
    return alerts, [alert for alert, _ in parts if alert.state == "resolved"], chart


async def take(folder: Path) -> None:
    """Write slack-light.png and slack-dark.png."""
    alerts, over, picture = incident()
    drawn = f'<img src="data:image/png;base64,{b64encode(picture).decode()}">' if picture else ""
    thread = f'<div class="thread">{post([], alerts[-1].at, drawn)}' if drawn else "<div>"
    if over:
        thread += post(reply(over)["blocks"], over[-1].at)  # type: ignore[arg-type]
    parts = post(message(alerts, interactive=True)["blocks"], alerts[-1].at) + thread + "</div>"  # type: ignore[arg-type]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGS)
        for look in ("light", "dark"):
            page = await browser.new_page(viewport={"width": 760, "height": 400}, device_scale_factor=1.5)
            await page.set_content(f'<style>{_STYLE}</style><body class="{look}">{parts}</body>')
            await page.wait_for_timeout(300)
            save(await page.screenshot(full_page=True), folder / f"slack-{look}.png")
        await browser.close()
    sys.stdout.write(unescape(f"{alerts[0].title}\n"))


if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1])))
