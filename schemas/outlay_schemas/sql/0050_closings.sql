-- Periods that were closed: what was charged back, as it was told. Rows are only added.

CREATE TABLE IF NOT EXISTS closings
(
    tenant LowCardinality(String) COMMENT 'Whose costs',
    period String COMMENT 'The month, 2026-11',
    zone LowCardinality(String) COMMENT 'Time zone in which the month begins and ends',
    seq UInt32 COMMENT 'Counts the closings of the period: 1 is the first, each later one takes in the amendments until then',
    total Decimal(38, 12) COMMENT 'USD of all lines',
    unpriced_events UInt64 COMMENT 'Events that were not, or not wholly, priced: total is a lower bound if not 0',
    body String COMMENT 'The lines as they were told, JSON' CODEC(ZSTD(3)),
    closed_at DateTime64(3, 'UTC') COMMENT 'When it was closed',
    closed_by String COMMENT 'Who closed it',
    note String COMMENT 'What they said',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, period, zone, seq)
COMMENT 'Every closing of a month. What the ledger says more or less since the last one is an amendment. Read it with FINAL';
