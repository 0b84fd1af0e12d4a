-- Who sends more users, or other values, in a minute than its rollup names one by one.

CREATE TABLE IF NOT EXISTS crowds
(
    tenant LowCardinality(String) COMMENT 'Whose events',
    minute DateTime('UTC') COMMENT 'The minute that has too many cells',
    source String COMMENT 'Who sent most of them',
    dimension LowCardinality(String) COMMENT 'What differs most in its events: user, project, ...',
    distinct UInt64 COMMENT 'How many values of that it sent in the minute, about',
    cells UInt64 COMMENT 'How many cells of the rollup its events would make, about',
    events UInt64 COMMENT 'How many events it sent in the minute',
    found_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was found'
)
ENGINE = ReplacingMergeTree(events)
ORDER BY (tenant, minute, source)
TTL minute + INTERVAL 30 DAY
COMMENT 'Producers whose minutes are past the bound on cells: their users are (other) there, exact in the ledger. Read it with FINAL';
