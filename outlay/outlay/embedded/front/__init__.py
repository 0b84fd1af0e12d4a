"""ClickHouse's HTTP interface over chDB, the engine as a wheel: what runs where no ClickHouse server is.

Services and BI tools speak their stock client to it. It has users and passwords, a read-only user that the
engine itself holds to reading, ClickHouse's error codes, compressed and chunked bodies, and bound parameters.
It has no user management in SQL, no cluster, and keeps no query log: for those, run a ClickHouse server.
"""
