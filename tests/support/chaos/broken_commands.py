"""A negative control for operators' commands: `dead-letters replay` as a naive one is."""

from collections.abc import Sequence

from outlay.cli.stores import open_clickhouse, open_sink
from outlay_aggregator.adapters.dead_letters import DeadLetters, Filter
from outlay_aggregator.domain.edits import Edit


class MarksFirst(DeadLetters):
    """Marks dead letters as replayed, then sends them."""

    def replay_all(self, tenant: str) -> None:
        assert self._sink is not None
        edits = [Edit.set("usage.input_tokens=1000")]
        found = [self.prepare(each, edits) for each in self.find(Filter(tenant))]
        if found:
            self._mark([each for each in found if not each.refusal])
        for each in found:
            self._send(each, self._sink)


def main(words: Sequence[str]) -> None:
    [how, tenant] = words
    assert how == "replay marks first"
    with open_sink(dry_run=False) as sink, open_clickhouse(write=True) as clickhouse:
        MarksFirst(clickhouse, sink).replay_all(tenant)
