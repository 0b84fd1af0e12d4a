-- Alerts: what state each is in.

CREATE TABLE IF NOT EXISTS alerts
(
    tenant LowCardinality(String) COMMENT 'Whose costs',
    id String COMMENT 'Stable id of the alert: a hash of tenant, rule, scope, window and level',
    rule String COMMENT 'Id of the budget or rule in the catalog',
    state LowCardinality(String) COMMENT 'firing or resolved',
    seq UInt32 COMMENT 'Counts the changes of state: 1 fires, 2 resolves, 3 fires again; the greatest wins',
    window DateTime('UTC') COMMENT 'Start of the period or window that crossed, UTC',
    body String COMMENT 'The alert as it was told, JSON (schema Alert)' CODEC(ZSTD(3)),
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(seq)
ORDER BY (tenant, id)
COMMENT 'The newest state of every alert. Read it with FINAL';
