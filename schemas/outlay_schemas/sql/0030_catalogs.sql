-- Every catalog that was ever in force: the topic keeps only the newest, and a price is explained by its own revision.

CREATE TABLE IF NOT EXISTS catalogs
(
    revision UInt64 COMMENT 'Number of the catalog; a cost event names the one that priced it',
    created_at DateTime64(6, 'UTC') COMMENT 'When it was published',
    note String COMMENT 'Who published it and why, as the publisher said',
    body String COMMENT 'The catalog, JSON, as it was published' CODEC(ZSTD(6)),
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree
ORDER BY revision
COMMENT 'Every catalog that was ever in force. Read it with FINAL';
