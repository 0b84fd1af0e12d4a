"""ClickHouse's HTTP interface over chDB, the engine as a wheel: what runs where no ClickHouse server is.

Services and BI tools speak their stock client to it. It has users and passwords, a read-only user that the
engine itself holds to reading, ClickHouse's error codes and statuses, compressed and chunked bodies, bound
parameters, answers in pieces, and it ends a query whose client has gone.

What a ClickHouse server can do and this cannot; for these, run a server and point OUTLAY_CLICKHOUSE at it:

- users, roles, row policies and quotas in SQL: its users are those of its file, and `currentUser()` says `default`;
- sessions: each request stands alone, so SET, USE and temporary tables end with it;
- clusters, replicas, the native TCP protocol, the MySQL and PostgreSQL ones, TLS;
- a query log: system.query_log does not exist, `log_comment` and `log_queries` are taken and dropped, and `query_id` is
  only handed back, so that KILL QUERY by it finds nothing;
- ClickHouse's own block compression (`compress=1`, `decompress=1`) and external tables;
- progress in headers; the summary counts rows only, and no rows read where the answer comes in pieces;
- start a query before the whole body is here; an answer in a format with a head and a foot (JSON, Parquet) is
  built in memory whole;
- write to a disk with less than 256 MB free: it refuses inserts then (code 243), as chDB does not notice a write
  that fails;
- for its read-only user: a column or table that is named `file`, and any table function that leaves the engine.
"""
