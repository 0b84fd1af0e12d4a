-- Which dead letters were replayed, so that each is once.

CREATE TABLE IF NOT EXISTS dead_letter_replays
(
    tenant LowCardinality(String) COMMENT 'Whose input it was',
    id String COMMENT 'The dead letter',
    body String COMMENT 'What was sent, as it was mended' CODEC(ZSTD(3)),
    topic LowCardinality(String) COMMENT 'The topic that it was sent to',
    replayed_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was durable there'
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, id)
TTL toDateTime(replayed_at) + INTERVAL 366 DAY
COMMENT 'Dead letters that were mended and sent again. Read it with FINAL';
