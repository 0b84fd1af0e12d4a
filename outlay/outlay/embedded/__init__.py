"""The real Kafka and the real ClickHouse engine on a bare machine; everything dies with it, also by kill -9.

with EmbeddedStack(home, SystemClock()) as stack:
    stack.kafka, stack.writer, stack.reader     # how to reach the stores
    stack.supervisor.start(Child(...), wait=30)    # run more processes beside them
"""
