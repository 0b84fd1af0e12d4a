"""The picture of an alert: no text of it is cut."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from outlay_alerter.notify.chart import Spending, draw

START = datetime(2026, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize("count", [1, 6, 11, 31, 61, 62, 63, 64, 91])
@pytest.mark.parametrize("step", [timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)])
def test_no_label_of_a_time_reaches_the_edge_or_the_name_of_the_zone(count: int, step: timedelta) -> None:
    costs = [10**12] * count
    picture = Image.open(io.BytesIO(draw(Spending("USD", START, step, costs, None, None)))).convert("RGB")
    width, height = picture.size
    edge = picture.crop((width - 20, 0, width, height))
    assert edge.getcolors() == [(20 * height, picture.getpixel((width - 1, 0)))]
    labels = picture.crop((width - 54, height - 34, width - 24, height - 26))
    assert len(labels.getcolors() or []) == 1, "the name of the zone is below, and nothing is beside it"
