"""The whole system on this machine: the embedded stack, the services, and what they need to find.

    with LocalSystem(home, SystemClock()) as system:     # Kafka, ClickHouse and every service, on loopback
        system.ingest_url, system.create_key("acme")     # where and as whom to send
        system.kafka, system.writer, system.reader      # how to reach the stores

`outlay up` keeps one running in the background; `running`, `endpoint` and `stores` of `state` find it again.
"""
