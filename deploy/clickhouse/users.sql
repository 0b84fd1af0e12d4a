-- The users of Outlay on a ClickHouse server of yours, ClickHouse Cloud included. Run it once as an administrator:
--
--   clickhouse-client --param_writer=... --param_reader=... --param_console=... --queries-file users.sql
--
-- On a cluster, add ON CLUSTER 'NAME' to each statement. The limits are those of reader.xml.

CREATE DATABASE IF NOT EXISTS outlay;

-- Writes: setup, aggregator, alerter, repricer and the command line. It creates and changes Outlay's tables.
CREATE USER IF NOT EXISTS outlay IDENTIFIED WITH sha256_password BY {writer:String};
GRANT SELECT, INSERT, ALTER, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, TRUNCATE, SHOW ON outlay.* TO outlay;
GRANT CREATE DATABASE ON outlay.* TO outlay;
-- Only for `outlay setup --cluster NAME`:
GRANT CLUSTER, REMOTE ON *.* TO outlay;

-- Reads: the console and BI tools.
CREATE SETTINGS PROFILE IF NOT EXISTS outlay_reader SETTINGS
    readonly = 1,
    max_concurrent_queries_for_user = 16,
    max_execution_time = 120 MAX 120 CHANGEABLE_IN_READONLY,
    max_memory_usage = 805306368,
    max_memory_usage_for_user = 4294967296,
    max_rows_to_read = 2000000000,
    max_result_rows = 5000000,
    max_result_bytes = 1073741824,
    priority = 10,
    os_thread_priority = 10;
CREATE USER IF NOT EXISTS reader IDENTIFIED WITH sha256_password BY {reader:String} SETTINGS PROFILE 'outlay_reader';
GRANT SELECT, SHOW ON outlay.* TO reader;

-- Writes what people do in the console, and nothing else.
CREATE USER IF NOT EXISTS console IDENTIFIED WITH sha256_password BY {console:String};
GRANT INSERT ON outlay.alert_actions TO console;
GRANT INSERT ON outlay.dismissals TO console;
GRANT INSERT ON outlay.saved_views TO console;
GRANT INSERT ON outlay.notes TO console;
GRANT INSERT ON outlay.audit_log TO console;
