-- What was sent twice under one identity and was not the same; and how far the books are complete.

CREATE TABLE IF NOT EXISTS conflicts
(
    tenant LowCardinality(String) COMMENT 'Whose events',
    source LowCardinality(String) COMMENT 'Who sent them',
    id String COMMENT 'The identity that they share',
    time DateTime64(6, 'UTC') COMMENT 'When this one says that the use happened, UTC',
    fingerprint UInt32 COMMENT '20 bits of its content',
    cost Nullable(Decimal(38, 12)) COMMENT 'USD that this one would cost; NULL: not priced',
    revision UInt64 COMMENT 'The catalog revision that priced it',
    found_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was found'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant, source, id, time, fingerprint)
COMMENT 'Events under one identity that differ, one row each: the ledger counts one of them. Read it with FINAL';

CREATE TABLE IF NOT EXISTS watermark
(
    name LowCardinality(String) COMMENT 'What is complete: ledger',
    at DateTime64(3, 'UTC') COMMENT 'Everything that was accepted by then is in the ledger and in the rollups',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this was found'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY name
COMMENT 'How far the books are complete, by the clock. Read it with FINAL';
