-- The ledger: every cost event once. The truth that all totals are computed from.

CREATE TABLE IF NOT EXISTS ledger
(
    tenant LowCardinality(String) COMMENT 'Whose cost it is; comes from the API key that sent the event',
    source LowCardinality(String) COMMENT 'Who saw the use; with id it is the identity of the event',
    id String COMMENT 'Identity of the event within its source' CODEC(ZSTD(1)),
    time DateTime64(6, 'UTC') COMMENT 'When the use happened, UTC' CODEC(Delta(8), ZSTD(1)),
    minute DateTime('UTC') MATERIALIZED toStartOfMinute(time) COMMENT 'The minute of time: the window that this row dirties' CODEC(DoubleDelta, ZSTD(1)),
    kind LowCardinality(String) COMMENT 'llm, compute, storage, transfer or custom',
    activity LowCardinality(String) COMMENT 'training, inference, storage, data_processing or other',
    provider LowCardinality(String) COMMENT 'Who bills for it, such as openai or aws',
    sku LowCardinality(String) COMMENT 'What was used, as the provider names it: a model, an instance type, a storage class',
    usage Map(String, Decimal(38, 9)) COMMENT 'Meter to quantity; unknown meters are kept',
    cost Nullable(Decimal(38, 12)) COMMENT 'USD. NULL: nothing of it could be priced, which is not the same as free. With price_status unpriced: the part that could be',
    price_status LowCardinality(String) COMMENT 'priced, reported (the producer said), free, or unpriced (wholly or in part)',
    price_ref LowCardinality(String) COMMENT 'Where the price comes from: book, version and rule',
    cost_parts Map(String, Decimal(38, 12)) COMMENT 'Meter to USD; sums to cost',
    unpriced_meters Array(String) COMMENT 'Meters that no price was found for',
    list_cost Nullable(Decimal(38, 12)) COMMENT 'USD at list prices where negotiated prices apply; NULL: the same as cost',
    project LowCardinality(String) COMMENT 'Resolved project; empty: not attributed',
    team LowCardinality(String) COMMENT 'Resolved team; empty: not attributed',
    use_case LowCardinality(String) COMMENT 'Resolved use case; empty: not attributed',
    user LowCardinality(String) COMMENT 'Resolved user; empty: not attributed',
    business_unit LowCardinality(String) COMMENT 'Resolved business unit; empty: not attributed',
    given Map(String, String) COMMENT 'The dimensions as the producer sent them, where attribution changed them',
    tags Map(String, String) COMMENT 'Free labels of the producer',
    attributes Map(String, String) COMMENT 'Facts that a price may depend on, such as region or service_tier',
    reported_cost Nullable(Decimal(38, 12)) COMMENT 'USD that the producer says it was billed; NULL: it did not say',
    revision UInt64 COMMENT 'The catalog revision that priced it; a newer one wins',
    fingerprint UInt32 COMMENT '20 bits of the content of the usage event: decides between two bodies under one identity',
    row_version UInt64 DEFAULT (revision + 1) * 1048576 + bitAnd(fingerprint, 1048575) COMMENT 'Of two rows under one identity the greater wins, in whatever order they come (docs/adr/0001)' CODEC(ZSTD(1)),
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written; says nothing about the event' CODEC(Delta(8), ZSTD(1)),
    INDEX by_time time TYPE minmax GRANULARITY 1,
    CONSTRAINT identity_given CHECK id != '' AND source != '',
    CONSTRAINT time_in_range CHECK time >= '2000-01-01 00:00:00' AND time < '2100-01-01 00:00:00'
)
ENGINE = ReplacingMergeTree(row_version)
PARTITION BY toYYYYMM(minute)
PRIMARY KEY (tenant, minute, toSecond(time))
ORDER BY (tenant, minute, toSecond(time), source, id)
COMMENT 'Every cost event once: one row per tenant, second, source and id. Read it with FINAL, or read the view costs';
-- Retention is in 0022.

CREATE TABLE IF NOT EXISTS rollup_minute
(
    tenant LowCardinality(String) COMMENT 'Whose costs',
    window DateTime('UTC') COMMENT 'Start of the minute, UTC',
    version UInt128 COMMENT 'Sum of row_version over the ledger rows of the window: it only grows, so an older answer always loses',
    groups Array(Tuple(
        project LowCardinality(String), team LowCardinality(String), business_unit LowCardinality(String),
        use_case LowCardinality(String), provider LowCardinality(String), sku LowCardinality(String),
        kind LowCardinality(String), activity LowCardinality(String), user LowCardinality(String),
        cost Decimal(38, 12), events UInt64, unpriced_events UInt64, usage Map(String, Decimal(38, 9))
    )) COMMENT 'Every cell of the window: dimensions, USD, events, events not (wholly) priced, and meter to quantity. User is (other) past the bound',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this state was computed'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window)
ORDER BY (tenant, window)
SETTINGS index_granularity = 256
COMMENT 'The absolute state of each tenant and minute, one row each, so that it is replaced whole (docs/adr/0002). Read costs_minutely';

CREATE TABLE IF NOT EXISTS rollup_hour AS rollup_minute
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window)
ORDER BY (tenant, window)
SETTINGS index_granularity = 64
COMMENT 'The absolute state of each tenant and hour (UTC), computed from rollup_minute. Read costs_hourly';

CREATE TABLE IF NOT EXISTS rollup_day AS rollup_minute
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYear(window)
ORDER BY (tenant, window)
SETTINGS index_granularity = 64
COMMENT 'The absolute state of each tenant and day (UTC), computed from rollup_hour. Read costs_daily';

CREATE TABLE IF NOT EXISTS dead_letters
(
    id String COMMENT 'Stable: the same bytes read again make the same dead letter',
    tenant LowCardinality(String) COMMENT 'Whose input it was; empty if it could not be told',
    stage LowCardinality(String) COMMENT 'Who refused it: ingest, pricer or aggregator',
    code LowCardinality(String) COMMENT 'Stable reason (docs/errors.md)',
    message String COMMENT 'What is wrong and how to mend it',
    path String COMMENT 'The place in the input, such as $.usage.input_tokens',
    at DateTime64(6, 'UTC') COMMENT 'When it was refused',
    body String COMMENT 'The original bytes, base64' CODEC(ZSTD(3)),
    topic LowCardinality(String) COMMENT 'Kafka topic it was read from; empty: it came by HTTP or file',
    partition Int32 DEFAULT -1 COMMENT 'Kafka partition; -1: none',
    offset Int64 DEFAULT -1 COMMENT 'Kafka offset; -1: none',
    line UInt32 COMMENT 'Which line of the record, from 0',
    original String ALIAS base64Decode(body) COMMENT 'The original bytes',
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, id)
COMMENT 'Input that could not be used, whole, with its reason. Read it with FINAL';
