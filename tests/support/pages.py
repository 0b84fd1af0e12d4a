"""The text of the pages of docs/, for tests that run their examples."""

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def pages(*names: str) -> str:
    """Return the text of one or more pages, in order: `pages("alerts", "rules")`."""
    return "\n".join((DOCS / f"{name}.md").read_text("utf-8") for name in names)
