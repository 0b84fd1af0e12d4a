-- What people did: from the audit files of services and from the command line, in one table.

CREATE TABLE IF NOT EXISTS audit_log
(
    id FixedString(64) COMMENT 'SHA-256 of the entry: written again, it is the same row',
    at DateTime64(6, 'UTC') COMMENT 'When it was done',
    tenant LowCardinality(String) COMMENT 'Tenant that it concerns; empty: the whole installation',
    actor String COMMENT 'Who did it: a person, a key, or a user of a machine',
    action LowCardinality(String) COMMENT 'What was done, such as alerts.act or keys.create',
    subject String COMMENT 'What it was done to: an id',
    details String COMMENT 'More about it, JSON'
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, at, id)
COMMENT 'What people did, when and to what. Read it with FINAL';
