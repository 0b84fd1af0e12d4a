"""`outlay price FILE`, without the command line."""

from datetime import UTC, datetime
from functools import partial

from outlay.catalog import load_default
from outlay.catalog.offline import Refused, price_lines
from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.events import CostEvent

CATALOG = CompiledCatalog(load_default())
PRICE = partial(price, catalog=CATALOG)
GPU = (
    b'{"id":"g","source":"s","time":"2026-11-24T01:02:03Z","kind":"compute","provider":"aws",'
    b'"sku":"p5.48xlarge","usage":{"compute_seconds":3600}}\n'
)


def test_one_answer_for_each_line_in_order() -> None:
    lines = [GPU, b"\n", b"no\n", GPU.replace(b"3600", b"-1"), GPU.replace(b"p5.", b"p99.")]
    answers = list(price_lines(lines, PRICE))
    assert [type(answer) for answer in answers] == [CostEvent, Refused, Refused, CostEvent]
    assert [answer.line for answer in answers if isinstance(answer, Refused)] == [3, 4]
    costs = [answer for answer in answers if isinstance(answer, CostEvent)]
    assert [(cost.cost, cost.price_status) for cost in costs] == [("55.04", "estimated"), (None, "unpriced")]


def test_a_refusal_says_where_and_why() -> None:
    (answer,) = price_lines([GPU.replace(b'"id":"g",', b"")], PRICE)
    assert str(answer) == "line 1: $.id: the field id is required [missing_field]"


def test_prices_as_of_another_time() -> None:
    (answer,) = price_lines([GPU], PRICE, datetime(2025, 1, 1, tzinfo=UTC))
    assert isinstance(answer, CostEvent)
    assert answer.cost == "98.32"
