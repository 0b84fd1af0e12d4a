-- Source and id are the identity of an event, whatever time it says (docs/adr/0016). The ledger stays in the order of time;
-- this index says in which seconds of the ledger an identity is.

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS retracted Bool DEFAULT false
    COMMENT 'The event counts elsewhere: a body that was accepted later has another time. Such a row is no event; the view costs leaves it out' AFTER accepted_at;

ALTER TABLE ledger MODIFY COMMENT 'Every cost event once: one row per tenant, second, source and id, some retracted. Read the view costs';

CREATE TABLE IF NOT EXISTS identities
(
    identity UInt64 COMMENT 'CRC-32 of tenant, source and id with zero bytes between, then that of the same bytes backwards',
    second DateTime('UTC') COMMENT 'A second in which the ledger has a row of it' CODEC(Delta(4), LZ4)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYear(second)
ORDER BY (identity, second)
TTL second + INTERVAL 1162 DAY
SETTINGS index_granularity = 1024, ttl_only_drop_parts = 1
COMMENT 'Where the events of the ledger are, by identity: finds an event that comes again with another time';

CREATE MATERIALIZED VIEW IF NOT EXISTS identities_of_ledger TO identities
(
    identity UInt64 COMMENT 'As in the table identities',
    second DateTime('UTC') COMMENT 'As in the table identities'
)
AS SELECT
    bitShiftLeft(toUInt64(CRC32(concat(tenant, '\0', source, '\0', id))), 32) + CRC32(reverse(concat(tenant, '\0', source, '\0', id))) AS identity,
    toDateTime(time, 'UTC') AS second
FROM ledger WHERE NOT retracted
COMMENT 'Fills the table identities from what is written to the ledger';

INSERT INTO identities SELECT
    bitShiftLeft(toUInt64(CRC32(concat(tenant, '\0', source, '\0', id))), 32) + CRC32(reverse(concat(tenant, '\0', source, '\0', id))),
    toDateTime(time, 'UTC')
FROM ledger;

CREATE OR REPLACE VIEW costs
(
    tenant LowCardinality(String) COMMENT 'Whose cost it is',
    time DateTime64(6, 'UTC') COMMENT 'When the use happened, UTC',
    source LowCardinality(String) COMMENT 'Who saw the use; with id the identity of the event',
    id String COMMENT 'Identity of the event within its source',
    kind LowCardinality(String) COMMENT 'llm, compute, storage, transfer or custom',
    activity LowCardinality(String) COMMENT 'training, inference, storage, data_processing or other',
    provider LowCardinality(String) COMMENT 'Who bills for it',
    sku LowCardinality(String) COMMENT 'What was used: a model, an instance type, a storage class',
    project LowCardinality(String) COMMENT 'Resolved project; empty: unassigned',
    team LowCardinality(String) COMMENT 'Resolved team; empty: unassigned',
    business_unit LowCardinality(String) COMMENT 'Resolved business unit; empty: unassigned',
    use_case LowCardinality(String) COMMENT 'Resolved use case; empty: unassigned',
    user LowCardinality(String) COMMENT 'Resolved user; empty: unassigned',
    cost Nullable(Decimal(38, 12)) COMMENT 'USD that the provider charges; NULL: not priced, which is not free',
    unpriced Bool COMMENT 'Whether it is not, or not wholly, priced: then cost is a lower bound',
    price_status LowCardinality(String) COMMENT 'priced, estimated, reported, free or unpriced',
    price_ref LowCardinality(String) COMMENT 'Where the price comes from: book, version and rule',
    charged Nullable(Decimal(38, 12)) COMMENT 'USD that the internal customer pays: cost with the markups that were agreed; the same as cost where there are none',
    estimated Bool COMMENT 'Whether the price rests on a guess, which price_ref names',
    list_cost Nullable(Decimal(38, 12)) COMMENT 'USD at list prices; the same as cost where none are negotiated',
    reported_cost Nullable(Decimal(38, 12)) COMMENT 'USD that the producer says it was billed',
    usage Map(String, Decimal(38, 9)) COMMENT 'Meter to quantity',
    cost_parts Map(String, Decimal(38, 12)) COMMENT 'Meter to USD',
    unpriced_meters Array(String) COMMENT 'Meters that no price was found for',
    given Map(String, String) COMMENT 'Dimensions as the producer sent them, where attribution changed them',
    tags Map(String, String) COMMENT 'Free labels of the producer',
    attributes Map(String, String) COMMENT 'Facts that a price may depend on',
    revision UInt64 COMMENT 'The catalog revision that priced it',
    minute DateTime('UTC') COMMENT 'The minute of time; filter by it to read little'
)
AS SELECT
    tenant, time, source, id, kind, activity, provider, sku, project, team, business_unit, use_case, user,
    cost, price_status = 'unpriced' AS unpriced, price_status, price_ref,
    coalesce(charged, cost) AS charged, price_status = 'estimated' AS estimated, coalesce(list_cost, cost) AS list_cost,
    reported_cost, usage, cost_parts, unpriced_meters, given, tags, attributes, revision, minute
FROM ledger FINAL
WHERE NOT retracted
COMMENT 'Every cost event once, with its price and its owner';
