"""Templates, and what all pages show."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from outlay_console.domain import figures
from outlay_console.domain.view import DIMENSIONS

ROOT = Path(str(resources.files("outlay_console")))
STATIC = ROOT / "static"
PAGES = (
    ("/", "Overview"),
    ("/explore", "Explore"),
    ("/budgets", "Budgets"),
    ("/alerts", "Alerts"),
    ("/prices", "Prices"),
    ("/opportunities", "Opportunities"),
    ("/quality", "Data quality"),
    ("/live", "Live"),
)
ZONES = (
    "UTC", "America/Los_Angeles", "America/Denver", "America/Chicago", "America/New_York", "America/Sao_Paulo",
    "Europe/London", "Europe/Berlin", "Europe/Helsinki", "Africa/Johannesburg", "Asia/Dubai", "Asia/Kolkata",
    "Asia/Singapore", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney", "Pacific/Auckland",
)  # fmt: skip


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
        "usd": figures.usd, "about": figures.about, "exact": figures.exact, "count": figures.count,
        "quantity": figures.quantity, "dollars": dollars, "guess": guess,
        "named": named, "noun": noun, "json": to_json, "local": local, "percent": percent,
    }  # fmt: skip
    env.globals |= {
        "pages": PAGES, "dimensions": DIMENSIONS, "zones": ZONES, "change": figures.change,
        "share": figures.share, "ago": figures.ago, "version": _version(),
    }  # fmt: skip
    for (
        name
    ) in env.list_templates():  # now, so that one that is wrong is told at the start, and none changes later
        env.get_template(name)
    return env


def named(value: str) -> str:
    """Write a value of a dimension; an empty one is said to be."""
    return value or "(not attributed)"


def dollars(text: str) -> str:
    """Write an amount of USD that a message has as text."""
    return figures.usd(Decimal(text))


def guess(amount: float) -> str:
    """Write what is expected, USD: not to the cent where it is large, for nobody knows it to the cent."""
    return figures.about(Decimal(str(amount)))


def noun(text: str) -> str:
    """Write the name of a dimension inside a sentence."""
    return text.lower().replace("sku", "SKU")


def percent(share: Decimal) -> str:
    """Write a share in percent, without claiming 0 or 100 for what is not."""
    if 0 < share < 1:
        return "<1 %"
    return ">99 %" if 99 < share < 100 else f"{share:.0f} %"


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
    """Return a hash of everything static: a browser asks anew when a file changed, and only then."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


Context = Mapping[str, object]
"""What a template is given."""
