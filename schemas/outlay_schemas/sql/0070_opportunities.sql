-- What could be saved, as it was found last: a whole look at a tenant's newest events, all rows of it at once.

CREATE TABLE IF NOT EXISTS opportunities
(
    tenant LowCardinality(String) COMMENT 'Whose costs',
    looked_at DateTime64(3, 'UTC') COMMENT 'When the look ended; the rows of the newest one count',
    id String COMMENT 'The same way of saving in the same place keeps it; empty: the row that sums the look up',
    kind LowCardinality(String) COMMENT 'Batch tier, prompt caching, idle machines, and so on',
    team String COMMENT 'In whose costs',
    project String COMMENT 'In which project',
    provider LowCardinality(String) COMMENT 'Of whom it is bought',
    sku String COMMENT 'What is bought',
    what String COMMENT 'What to do',
    check String COMMENT 'What must be made sure of before',
    saving Decimal(38, 12) COMMENT 'USD that it would have saved in the time looked at. Savings overlap: do not add them up',
    cost Decimal(38, 12) COMMENT 'USD that its events cost',
    events UInt64 COMMENT 'Events that it was found in; in the row that sums up: all that were looked at',
    since DateTime('UTC') COMMENT 'First minute looked at, UTC',
    until DateTime('UTC') COMMENT 'End of the time looked at, UTC',
    example_source String COMMENT 'Source of an event that shows it',
    example_id String COMMENT 'Its id'
)
ENGINE = MergeTree
ORDER BY (tenant, looked_at)
TTL toDateTime(looked_at) + INTERVAL 30 DAY
COMMENT 'What could be saved, found again every hour. Read the newest looked_at of a tenant';
