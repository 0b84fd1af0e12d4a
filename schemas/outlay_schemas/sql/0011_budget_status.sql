-- How budgets stand, for callers that want to know before they spend.

CREATE TABLE IF NOT EXISTS budget_status
(
    tenant LowCardinality(String) COMMENT 'Whose budget',
    budget String COMMENT 'Id of the budget in the catalog',
    standing LowCardinality(String) COMMENT 'ok, warning, or over',
    at DateTime64(3, 'UTC') COMMENT 'When it stood so; the newest wins',
    body String COMMENT 'The whole of it, JSON (docs/alerts.md)' CODEC(ZSTD(3)),
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (tenant, budget)
COMMENT 'How each budget stands. Read it with FINAL';
