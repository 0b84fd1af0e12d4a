"""The real Kafka and the real ClickHouse engine on a bare machine.

    with EmbeddedStack(home, SystemClock()) as stack:
        stack.kafka, stack.writer, stack.reader     # how to reach the stores
        stack.supervisor.start(Child(...), wait=30)    # run more processes beside them

Everything it starts dies with it, also by kill -9. What cannot be done raises StackError, with a hint.
"""

from outlay.embedded.errors import StackError
from outlay.embedded.progress import Progress
from outlay.embedded.stack import EmbeddedStack, Ports
from outlay.embedded.supervisor import Child

__all__ = ["Child", "EmbeddedStack", "Ports", "Progress", "StackError"]
