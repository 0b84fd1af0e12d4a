"""Operators' commands that are killed at their steps, or lose their stores there, and are repeated."""

import pytest
from tests.support.chaos.operators import (
    MARKS_FIRST,
    OPERATIONS,
    Operators,
    away_at,
    killed_at,
    killed_at_every_step,
)
from tests.support.chaos.rig import Pipeline
from tests.support.processes import Broker
from tests.support.promises import Tally

pytestmark = pytest.mark.stack

DANGEROUS = {"dead-letters replay": (4, 5), "rebuild": (9, 10)}
"""Steps between what a command sends and what it writes down."""
AWAY_AT = 3
CLIENTS_WORDS = ("Traceback", "HTTPConnectionPool", "urllib3", "kafka.errors", "clickhouse_connect")


@pytest.fixture
def ops(pipeline: Pipeline) -> Operators:
    return Operators(pipeline)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", OPERATIONS)
def test_p19_a_command_killed_at_any_step_is_whole_when_it_is_repeated(
    ops: Operators, tally: Tally, name: str
) -> None:
    kills, wrong = killed_at_every_step(ops, OPERATIONS[name])
    tally("P19", f"{name}: killed at each step, and repeated", 36 * (kills + 1), kills, wrong)
    assert wrong == 0


@pytest.mark.chaos
def test_p19_commands_killed_between_their_most_dangerous_steps_are_whole_when_repeated(
    ops: Operators, tally: Tally
) -> None:
    for name, steps in DANGEROUS.items():
        kills, wrong = killed_at(ops, OPERATIONS[name], steps)
        tally("P19", f"{name}: killed at steps {steps}, and repeated", 36 * (kills + 1), kills, wrong)
        assert (kills, wrong) == (len(steps), 0), name


@pytest.mark.chaos
def test_p19_negative_control_a_replay_that_marks_before_it_sends_loses_events(
    ops: Operators, tally: Tally
) -> None:
    kills, wrong = killed_at_every_step(ops, MARKS_FIRST)
    tally.control("P19", "dead letters marked before they are sent", 36 * (kills + 1), kills, wrong)
    assert wrong > 0


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("store", ["kafka", "clickhouse"])
def test_p19_a_command_whose_store_goes_away_says_so_in_a_line_and_can_be_repeated(
    ops: Operators, tally: Tally, store: str
) -> None:
    """It waits at a step while the store is killed; the store comes back after it ended, or is back before that."""
    stores = ops.pipeline.stores
    assert isinstance(stores.broker, Broker)
    lost = stores.engine if store == "clickhouse" else stores.broker
    for name, operation in OPERATIONS.items():
        said, wrong = away_at(ops, operation, lost, AWAY_AT)
        tally("P19", f"{name}: {store} away at step {AWAY_AT}", 72, 1, wrong)
        assert wrong == 0, name
        if said:  # it did not outlive it
            [error] = [line for line in said.splitlines() if line.startswith("Error: ")]
            assert "; " in error
            assert "Fix: repeat the same command" in said
        assert not any(word in said for word in CLIENTS_WORDS), said
