"""A review of spending as a message: short where people chat, whole by mail, signed JSON for machines."""

from collections.abc import Sequence
from html import escape as html_escape

import msgspec

from outlay_alerter.digests.message import Review
from outlay_alerter.notify.channels.mail_text import Letter, framed
from outlay_alerter.notify.channels.slack_blocks import Block, button, context, cut, escape, header, section
from outlay_alerter.notify.channels.teams_card import Element, fitted, text

_LINES = 8
"""Lines of a point that are shown where people chat."""
_LINE = 300
_ROOM = 9000
"""Characters that points have in Slack, whose whole messages end near 13,200."""
_BLUE = "#2a6fbb"


def slack_review(review: Review) -> dict[str, object]:
    """Return the body for Slack: what a team reads in a minute."""
    blocks: list[Block] = [
        header(f":bar_chart: {review.title}"),
        section(f"*{cut(escape(review.headline), 600)}*"),
    ]
    left = _ROOM
    for point in review.points[:20]:
        lines = "\n".join(cut(escape(line), _LINE) for line in point.lines[:_LINES])
        said = f"*{escape(cut(point.heading, _LINE))}*\n{lines}"
        left -= len(said) + 100
        if left < 0:
            break
        blocks.append(section(said))
    if review.link:
        blocks.append(button(review.link))
    if review.foot:
        blocks.append(context(review.foot))
    return {"text": cut(escape(f"{review.title}: {review.headline}"), 3000), "blocks": blocks}


def teams_review(review: Review) -> dict[str, object]:
    """Return the body for a workflow of Teams."""
    body: list[Element] = [
        {
            "type": "Container", "style": "accent", "bleed": True,
            "items": [text(review.title, weight="bolder", size="medium")],
        },
        text(review.headline, weight="bolder"),
    ]  # fmt: skip
    for point in review.points:
        body.append(text(point.heading, weight="bolder", spacing="medium"))
        body += [text(cut(line, _LINE), spacing="small") for line in point.lines[:_LINES]]
    body.append(text(review.foot, subtle=True, size="small"))
    actions: list[Element] = []
    if review.link:
        actions = [{"type": "Action.OpenUrl", "title": "Open in Outlay", "url": review.link}]
    return fitted(body, actions, f"{review.title}: {review.headline}")


def review_letter(review: Review) -> Letter:
    """Return the mail: the short message, and the whole page attached."""
    lines = [review.title, "", review.headline]
    for point in review.points:
        lines += ["", point.heading, *(f"  {line}" for line in point.lines)]
    lines += ["", review.link] if review.link else []
    return Letter(
        review.title, "\n".join([*lines, "", review.foot, ""]), _html(review), page=review.html, thread=""
    )


def review_data(review: Review) -> dict[str, object]:
    """Return what a webhook is told: everything but the page."""
    known = msgspec.to_builtins(review)
    return {name: value for name, value in known.items() if name not in ("type", "html")}


def _html(review: Review) -> str:
    parts = [
        f'<h1 style="font-size:19px;margin:0 0 6px">{html_escape(review.title)}</h1>',
        f'<p style="font-size:17px"><b>{html_escape(review.headline)}</b></p>',
    ]
    for point in review.points:
        parts.append(f'<h2 style="font-size:15px;margin:14px 0 2px">{html_escape(point.heading)}</h2>')
        parts.append(_items(point.lines))
    if review.link:
        parts.append(f'<p><a href="{html_escape(review.link)}">Open in Outlay</a></p>')
    if review.html:
        parts.append("<p>The whole review, with its tables and plots, is attached: review.html</p>")
    return framed("".join(parts), _BLUE, review.foot)


def _items(lines: Sequence[str]) -> str:
    items = "".join(f"<li>{html_escape(line)}</li>" for line in lines)
    return f'<ul style="margin:2px 0;padding-left:20px">{items}</ul>'
