"""Draws the pictures of the README from a real run: `python docs/pictures/draw.py`, with the system up."""

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from outlay.demo.run import Demo, Plan
from outlay.demo.view import Frame, draw
from outlay.local.state import home_folder, require_running
from outlay.local.system import create_key
from outlay_kit.clock import SystemClock
from outlay_schemas.tenants import DEMO_TENANT

WIDTH = 104
FOLDER = Path(__file__).parent


def main() -> None:
    """Play the hour, keep the last frame."""
    clock = SystemClock()
    key = create_key(home_folder(), DEMO_TENANT, clock)
    frames: list[Frame] = []
    Demo(require_running(), key, Plan(None, datetime(2026, 11, 24, 9, tzinfo=UTC), 60.0), clock).play(
        frames.append
    )
    busy = [frame for frame in frames if frame.alerts and frame.sent < frame.total]
    console = Console(record=True, width=WIDTH, force_terminal=True)
    console.print(draw(busy[-1], WIDTH))
    console.save_svg(str(FOLDER / "demo.svg"), title="outlay demo")


if __name__ == "__main__":
    main()
