-- Price changes that the catalog announces, and what each comes to.

CREATE TABLE IF NOT EXISTS price_changes
(
    tenant LowCardinality(String) COMMENT 'Whose use it is reckoned at',
    at DateTime('UTC') COMMENT 'When the price changes, UTC',
    provider LowCardinality(String) COMMENT 'Whose price',
    sku String COMMENT 'Of what',
    before Decimal(38, 12) COMMENT 'USD that the use of the last 30 days costs at the prices of the day before',
    after Decimal(38, 12) COMMENT 'USD that it would cost at those of the day',
    events UInt64 COMMENT 'Events of that use',
    priced UInt64 COMMENT 'How many of them were priced both ways; where that is not all, the sums are scaled',
    looked_at DateTime64(3, 'UTC') COMMENT 'When this was reckoned; the newest wins, and what is days old holds no more'
)
ENGINE = ReplacingMergeTree(looked_at)
ORDER BY (tenant, at, provider, sku)
TTL at + INTERVAL 30 DAY
COMMENT 'Which prices change soon. Read it with FINAL';
