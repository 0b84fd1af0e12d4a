-- What people and BI tools read. No reader needs FINAL or knows how the tables replace their rows.

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
    project LowCardinality(String) COMMENT 'Resolved project; empty: not attributed',
    team LowCardinality(String) COMMENT 'Resolved team; empty: not attributed',
    business_unit LowCardinality(String) COMMENT 'Resolved business unit; empty: not attributed',
    use_case LowCardinality(String) COMMENT 'Resolved use case; empty: not attributed',
    user LowCardinality(String) COMMENT 'Resolved user; empty: not attributed',
    cost Nullable(Decimal(38, 12)) COMMENT 'USD; NULL: not priced, which is not free',
    unpriced Bool COMMENT 'Whether it is not, or not wholly, priced: then cost is a lower bound',
    price_status LowCardinality(String) COMMENT 'priced, reported, free or unpriced',
    price_ref LowCardinality(String) COMMENT 'Where the price comes from: book, version and rule',
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
    cost, price_status = 'unpriced' AS unpriced, price_status, price_ref, coalesce(list_cost, cost) AS list_cost,
    reported_cost, usage, cost_parts, unpriced_meters, given, tags, attributes, revision, minute
FROM ledger FINAL
COMMENT 'Every cost event once, with its price and its owner';

CREATE OR REPLACE VIEW costs_minutely
(
    tenant LowCardinality(String) COMMENT 'Whose costs',
    time DateTime('UTC') COMMENT 'Start of the minute, UTC',
    project LowCardinality(String) COMMENT 'Resolved project; empty: not attributed',
    team LowCardinality(String) COMMENT 'Resolved team; empty: not attributed',
    business_unit LowCardinality(String) COMMENT 'Resolved business unit; empty: not attributed',
    use_case LowCardinality(String) COMMENT 'Resolved use case; empty: not attributed',
    provider LowCardinality(String) COMMENT 'Who bills for it',
    sku LowCardinality(String) COMMENT 'What was used: a model, an instance type, a storage class',
    kind LowCardinality(String) COMMENT 'llm, compute, storage, transfer or custom',
    activity LowCardinality(String) COMMENT 'training, inference, storage, data_processing or other',
    user LowCardinality(String) COMMENT 'Resolved user; (other): the tail past the bound; exact users are in costs',
    cost Decimal(38, 12) COMMENT 'USD; events that could not be priced add what could be, see unpriced_events',
    events UInt64 COMMENT 'Number of events',
    unpriced_events UInt64 COMMENT 'How many of them are not, or not wholly, priced: cost is a lower bound if not 0',
    usage Map(String, Decimal(38, 9)) COMMENT 'Meter to quantity',
    version UInt128 COMMENT 'Version of the window; grows with every change',
    written_at DateTime64(3, 'UTC') COMMENT 'When this state was computed'
)
AS SELECT
    tenant, window AS time, project, team, business_unit, use_case, provider, sku, kind, activity, user,
    cost, events, unpriced_events, usage, version, written_at
FROM rollup_minute FINAL
ARRAY JOIN
    groups.project AS project, groups.team AS team, groups.business_unit AS business_unit,
    groups.use_case AS use_case, groups.provider AS provider, groups.sku AS sku, groups.kind AS kind,
    groups.activity AS activity, groups.user AS user, groups.cost AS cost, groups.events AS events,
    groups.unpriced_events AS unpriced_events, groups.usage AS usage
COMMENT 'Costs by minute and dimensions, as new as the last events';

CREATE OR REPLACE VIEW costs_hourly
(
    tenant LowCardinality(String) COMMENT 'Whose costs',
    time DateTime('UTC') COMMENT 'Start of the hour, UTC',
    project LowCardinality(String) COMMENT 'Resolved project; empty: not attributed',
    team LowCardinality(String) COMMENT 'Resolved team; empty: not attributed',
    business_unit LowCardinality(String) COMMENT 'Resolved business unit; empty: not attributed',
    use_case LowCardinality(String) COMMENT 'Resolved use case; empty: not attributed',
    provider LowCardinality(String) COMMENT 'Who bills for it',
    sku LowCardinality(String) COMMENT 'What was used: a model, an instance type, a storage class',
    kind LowCardinality(String) COMMENT 'llm, compute, storage, transfer or custom',
    activity LowCardinality(String) COMMENT 'training, inference, storage, data_processing or other',
    user LowCardinality(String) COMMENT 'Resolved user; (other): the tail past the bound; exact users are in costs',
    cost Decimal(38, 12) COMMENT 'USD; events that could not be priced add what could be, see unpriced_events',
    events UInt64 COMMENT 'Number of events',
    unpriced_events UInt64 COMMENT 'How many of them are not, or not wholly, priced: cost is a lower bound if not 0',
    usage Map(String, Decimal(38, 9)) COMMENT 'Meter to quantity',
    version UInt128 COMMENT 'Version of the window; grows with every change',
    written_at DateTime64(3, 'UTC') COMMENT 'When this state was computed'
)
AS SELECT
    tenant, window AS time, project, team, business_unit, use_case, provider, sku, kind, activity, user,
    cost, events, unpriced_events, usage, version, written_at
FROM rollup_hour FINAL
ARRAY JOIN
    groups.project AS project, groups.team AS team, groups.business_unit AS business_unit,
    groups.use_case AS use_case, groups.provider AS provider, groups.sku AS sku, groups.kind AS kind,
    groups.activity AS activity, groups.user AS user, groups.cost AS cost, groups.events AS events,
    groups.unpriced_events AS unpriced_events, groups.usage AS usage
COMMENT 'Costs by hour and dimensions, as new as the last events';

CREATE OR REPLACE VIEW costs_daily
(
    tenant LowCardinality(String) COMMENT 'Whose costs',
    time DateTime('UTC') COMMENT 'Start of the day, UTC',
    project LowCardinality(String) COMMENT 'Resolved project; empty: not attributed',
    team LowCardinality(String) COMMENT 'Resolved team; empty: not attributed',
    business_unit LowCardinality(String) COMMENT 'Resolved business unit; empty: not attributed',
    use_case LowCardinality(String) COMMENT 'Resolved use case; empty: not attributed',
    provider LowCardinality(String) COMMENT 'Who bills for it',
    sku LowCardinality(String) COMMENT 'What was used: a model, an instance type, a storage class',
    kind LowCardinality(String) COMMENT 'llm, compute, storage, transfer or custom',
    activity LowCardinality(String) COMMENT 'training, inference, storage, data_processing or other',
    user LowCardinality(String) COMMENT 'Resolved user; (other): the tail past the bound; exact users are in costs',
    cost Decimal(38, 12) COMMENT 'USD; events that could not be priced add what could be, see unpriced_events',
    events UInt64 COMMENT 'Number of events',
    unpriced_events UInt64 COMMENT 'How many of them are not, or not wholly, priced: cost is a lower bound if not 0',
    usage Map(String, Decimal(38, 9)) COMMENT 'Meter to quantity',
    version UInt128 COMMENT 'Version of the window; grows with every change',
    written_at DateTime64(3, 'UTC') COMMENT 'When this state was computed'
)
AS SELECT
    tenant, window AS time, project, team, business_unit, use_case, provider, sku, kind, activity, user,
    cost, events, unpriced_events, usage, version, written_at
FROM rollup_day FINAL
ARRAY JOIN
    groups.project AS project, groups.team AS team, groups.business_unit AS business_unit,
    groups.use_case AS use_case, groups.provider AS provider, groups.sku AS sku, groups.kind AS kind,
    groups.activity AS activity, groups.user AS user, groups.cost AS cost, groups.events AS events,
    groups.unpriced_events AS unpriced_events, groups.usage AS usage
COMMENT 'Costs by day and dimensions, as new as the last events';
