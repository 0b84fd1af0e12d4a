"""Templates, and what all pages show."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from outlay_console.domain.saved import MOST_NOTES, MOST_VIEWS
from outlay_console.domain.view import COMPARISONS, DIMENSIONS, GROUPS, PERIODS, RANGES
from outlay_console.pages.charts import row_name
from outlay_reports import money
from outlay_reports.periods import moment_text, range_text
from outlay_reports.report_table import conversion
from outlay_schemas.dimensions import CONDITIONS, condition_of, dimension_of, label_of
from outlay_schemas.notes import LONGEST_LINE

ROOT = Path(str(resources.files("outlay_console")))
STATIC = ROOT / "static"
PAGES = (
    ("/", "Overview"),
    ("/explore", "Explore"),
    ("/views", "Saved views"),
    ("/budgets", "Budgets"),
    ("/alerts", "Alerts"),
    ("/prices", "Prices"),
    ("/opportunities", "Opportunities"),
    ("/quality", "Data quality"),
    ("/live", "Live"),
    ("/audit", "Audit log"),
)
ZONES = (
    "UTC", "America/Los_Angeles", "America/Denver", "America/Chicago", "America/New_York", "America/Sao_Paulo",
    "Europe/London", "Europe/Berlin", "Europe/Helsinki", "Africa/Johannesburg", "Asia/Dubai", "Asia/Kolkata",
    "Asia/Singapore", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney", "Pacific/Auckland",
)  # fmt: skip


def _in_view(write: Callable[..., str]) -> Callable[..., str]:
    """Return a filter that writes amounts in the currency of the page's view, or in another that is given."""

    @pass_context
    def filtered(context: Context, amount: Any, *, currency: str = "", **how: Any) -> str:
        view = context.get("view")
        return write(amount, currency=currency or (view.currency.code if view else "USD"), **how)

    return filtered


def templates() -> Environment:
    """Return the templates, with the words that they use."""
    env = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.filters |= {
        "usd": _in_view(money.usd), "about": _in_view(money.about), "exact": _in_view(money.exact),
        "percent": money.percent,
        "count": "{:,}".format, "events": partial(money.counted, noun="event"), "quantity": quantity,
        "named": row_name, "label": label_of, "condition": condition_of, "dimension": dimension_of,
        "noun": noun, "pico": money.from_pico, "json": to_json, "local": local, "moment": moment_text,
        "range": range_text,
    }  # fmt: skip
    env.globals |= {
        "pages": PAGES, "dimensions": DIMENSIONS, "comparisons": COMPARISONS, "most_groups": GROUPS,
        "conditions": CONDITIONS, "zones": ZONES, "ranges": {**RANGES, **PERIODS},
        "conversion": conversion, "longest_line": LONGEST_LINE, "most_views": MOST_VIEWS, "most_notes": MOST_NOTES,
        "zip": zip, "growth": money.growth, "share": money.share, "ago": ago, "version": _version(),
    }  # fmt: skip
    for name in env.list_templates():  # compile all now: a broken template fails at startup
        env.get_template(name)
    return env


def quantity(number: Decimal) -> str:
    """Write a quantity in full, with thousands set off."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def ago(at: datetime, now: datetime) -> str:
    """Say how long ago `at` was."""
    past = (now - at).total_seconds()
    units = (("d", 86_400, 172_800), ("h", 3600, 3600), ("min", 60, 60), ("s", 1, 5))
    found = (f"{int(past // length)} {unit} ago" for unit, length, least in units if past >= least)
    return next(found, "just now")


def noun(text: str) -> str:
    """Write the name of a dimension inside a sentence."""
    return (text[:1].lower() + text[1:]).replace("model or sku", "model or SKU")


def local(at: datetime | None, zone: ZoneInfo, form: str = "%Y-%m-%d %H:%M") -> str:
    """Write a time in a zone."""
    return at.astimezone(zone).strftime(form) if at else "never"


def to_json(value: object) -> Markup:
    """Write JSON into a data block of a page; nothing in it can end the block."""
    text = json.dumps(value, default=_plain, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _version() -> str:
    """Return a hash of everything static: browsers fetch a file again only when it changed."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
