-- The views that people and BI tools read. They need no FINAL and hide how the tables replace their rows.

CREATE OR REPLACE VIEW costs
(
    tenant LowCardinality(String) COMMENT 'Tenant that pays',
    time DateTime64(6, 'UTC') COMMENT 'When the usage happened, UTC',
    source LowCardinality(String) COMMENT 'Producer of the event; with id its identity',
    id String COMMENT 'Identity of the event within its source',
    kind LowCardinality(String) COMMENT 'llm, compute, storage, transfer or custom',
    activity LowCardinality(String) COMMENT 'training, inference, storage, data_processing or other',
    provider LowCardinality(String) COMMENT 'Provider that bills for it',
    sku LowCardinality(String) COMMENT 'Model, instance type or storage class that was used',
    project LowCardinality(String) COMMENT 'Resolved project; empty: unassigned',
    team LowCardinality(String) COMMENT 'Resolved team; empty: unassigned',
    business_unit LowCardinality(String) COMMENT 'Resolved business unit; empty: unassigned',
    use_case LowCardinality(String) COMMENT 'Resolved use case; empty: unassigned',
    user LowCardinality(String) COMMENT 'Resolved user; empty: unassigned',
    cost Nullable(Decimal(38, 12)) COMMENT 'USD that the provider charges; NULL: not priced, which does not mean free',
    unpriced Bool COMMENT 'True if a part has no price: cost is then a lower bound',
    price_status LowCardinality(String) COMMENT 'priced, estimated, reported, free or unpriced',
    price_ref LowCardinality(String) COMMENT 'Source of the price: price book, version and rule',
    charged Nullable(Decimal(38, 12)) COMMENT 'USD that the internal customer pays: cost with the agreed markups',
    estimated Bool COMMENT 'True if the price rests on a guess, which price_ref names',
    list_cost Nullable(Decimal(38, 12)) COMMENT 'USD at list prices; equals cost where no price is negotiated',
    reported_cost Nullable(Decimal(38, 12)) COMMENT 'USD that the producer reports as billed',
    usage Map(String, Decimal(38, 9)) COMMENT 'Meter to quantity',
    cost_parts Map(String, Decimal(38, 12)) COMMENT 'Meter to USD',
    unpriced_meters Array(String) COMMENT 'Meters without a price',
    original_dimensions Map(String, String) COMMENT 'Dimensions as the producer sent them, where attribution changed them',
    tags Map(String, String) COMMENT 'Free labels of the producer',
    attributes Map(String, String) COMMENT 'Facts that a price may depend on',
    revision UInt64 COMMENT 'Catalog revision that priced it',
    minute DateTime('UTC') COMMENT 'Minute of time; a filter on it reads little data'
)
AS SELECT
    tenant, time, source, id, kind, activity, provider, sku, project, team, business_unit, use_case, user,
    cost, price_status = 'unpriced' AS unpriced, price_status, price_ref,
    coalesce(charged, cost) AS charged, price_status = 'estimated' AS estimated, coalesce(list_cost, cost) AS list_cost,
    reported_cost, usage, cost_parts, unpriced_meters, given AS original_dimensions, tags, attributes, revision, minute
FROM ledger FINAL
WHERE NOT retracted
COMMENT 'Every cost event once, with its price and owner';

CREATE OR REPLACE VIEW costs_minutely
(
    tenant LowCardinality(String) COMMENT 'Tenant that pays',
    time DateTime('UTC') COMMENT 'Start of the minute, UTC',
    project LowCardinality(String) COMMENT 'Resolved project; empty: unassigned',
    team LowCardinality(String) COMMENT 'Resolved team; empty: unassigned',
    business_unit LowCardinality(String) COMMENT 'Resolved business unit; empty: unassigned',
    use_case LowCardinality(String) COMMENT 'Resolved use case; empty: unassigned',
    provider LowCardinality(String) COMMENT 'Provider that bills for it',
    sku LowCardinality(String) COMMENT 'Model, instance type or storage class that was used',
    kind LowCardinality(String) COMMENT 'llm, compute, storage, transfer or custom',
    activity LowCardinality(String) COMMENT 'training, inference, storage, data_processing or other',
    user LowCardinality(String) COMMENT 'Resolved user; (other) sums the users past the limit; the view costs has exact users',
    cost Decimal(38, 12) COMMENT 'USD that providers charge; a lower bound if unpriced_events is not 0',
    events UInt64 COMMENT 'Number of events',
    unpriced_events UInt64 COMMENT 'Events of which a part has no price',
    estimated_events UInt64 COMMENT 'Events whose price rests on a guess',
    estimated_cost Decimal(38, 12) COMMENT 'USD of the estimated events; included in cost',
    charged Decimal(38, 12) COMMENT 'USD that internal customers pay: cost with the agreed markups',
    free_events UInt64 COMMENT 'Events of what the provider offers free',
    usage Map(String, Decimal(38, 9)) COMMENT 'Meter to quantity',
    version UInt256 COMMENT 'Version of the window; grows with every change',
    written_at DateTime64(3, 'UTC') COMMENT 'When this row was computed',
    final_as_of DateTime64(3, 'UTC') COMMENT 'Everything accepted before this time is counted; 1970: not known yet',
    is_final Bool COMMENT 'True if the window ended before final_as_of: only late or corrected events can change it'
)
AS SELECT
    tenant, window AS time, project, team, business_unit, use_case, provider, sku, kind, activity, user,
    cost, events, unpriced_events, estimated_events, estimated_cost, cost + markup AS charged, free_events, usage, version, written_at,
    ifNull((SELECT max(at) FROM watermark), toDateTime64(0, 3, 'UTC')) AS final_as_of, window + INTERVAL 60 SECOND <= final_as_of AS is_final
FROM rollup_minute FINAL
ARRAY JOIN
    groups.project AS project, groups.team AS team, groups.business_unit AS business_unit,
    groups.use_case AS use_case, groups.provider AS provider, groups.sku AS sku, groups.kind AS kind,
    groups.activity AS activity, groups.user AS user, groups.cost AS cost, groups.events AS events,
    groups.unpriced_events AS unpriced_events, groups.usage AS usage,
    groups.estimated_events AS estimated_events, groups.estimated_cost AS estimated_cost, groups.markup AS markup,
    groups.free_events AS free_events
COMMENT 'Costs by minute and dimensions, updated within seconds';

CREATE OR REPLACE VIEW costs_hourly
(
    tenant LowCardinality(String) COMMENT 'Tenant that pays',
    time DateTime('UTC') COMMENT 'Start of the hour, UTC',
    project LowCardinality(String) COMMENT 'Resolved project; empty: unassigned',
    team LowCardinality(String) COMMENT 'Resolved team; empty: unassigned',
    business_unit LowCardinality(String) COMMENT 'Resolved business unit; empty: unassigned',
    use_case LowCardinality(String) COMMENT 'Resolved use case; empty: unassigned',
    provider LowCardinality(String) COMMENT 'Provider that bills for it',
    sku LowCardinality(String) COMMENT 'Model, instance type or storage class that was used',
    kind LowCardinality(String) COMMENT 'llm, compute, storage, transfer or custom',
    activity LowCardinality(String) COMMENT 'training, inference, storage, data_processing or other',
    user LowCardinality(String) COMMENT 'Resolved user; (other) sums the users past the limit; the view costs has exact users',
    cost Decimal(38, 12) COMMENT 'USD that providers charge; a lower bound if unpriced_events is not 0',
    events UInt64 COMMENT 'Number of events',
    unpriced_events UInt64 COMMENT 'Events of which a part has no price',
    estimated_events UInt64 COMMENT 'Events whose price rests on a guess',
    estimated_cost Decimal(38, 12) COMMENT 'USD of the estimated events; included in cost',
    charged Decimal(38, 12) COMMENT 'USD that internal customers pay: cost with the agreed markups',
    free_events UInt64 COMMENT 'Events of what the provider offers free',
    usage Map(String, Decimal(38, 9)) COMMENT 'Meter to quantity',
    version UInt256 COMMENT 'Version of the window; grows with every change',
    written_at DateTime64(3, 'UTC') COMMENT 'When this row was computed',
    final_as_of DateTime64(3, 'UTC') COMMENT 'Everything accepted before this time is counted; 1970: not known yet',
    is_final Bool COMMENT 'True if the window ended before final_as_of: only late or corrected events can change it'
)
AS SELECT
    tenant, window AS time, project, team, business_unit, use_case, provider, sku, kind, activity, user,
    cost, events, unpriced_events, estimated_events, estimated_cost, cost + markup AS charged, free_events, usage, version, written_at,
    ifNull((SELECT max(at) FROM watermark), toDateTime64(0, 3, 'UTC')) AS final_as_of, window + INTERVAL 3600 SECOND <= final_as_of AS is_final
FROM rollup_hour FINAL
ARRAY JOIN
    groups.project AS project, groups.team AS team, groups.business_unit AS business_unit,
    groups.use_case AS use_case, groups.provider AS provider, groups.sku AS sku, groups.kind AS kind,
    groups.activity AS activity, groups.user AS user, groups.cost AS cost, groups.events AS events,
    groups.unpriced_events AS unpriced_events, groups.usage AS usage,
    groups.estimated_events AS estimated_events, groups.estimated_cost AS estimated_cost, groups.markup AS markup,
    groups.free_events AS free_events
COMMENT 'Costs by hour and dimensions, updated within seconds';

CREATE OR REPLACE VIEW costs_daily
(
    tenant LowCardinality(String) COMMENT 'Tenant that pays',
    time DateTime('UTC') COMMENT 'Start of the day, UTC',
    project LowCardinality(String) COMMENT 'Resolved project; empty: unassigned',
    team LowCardinality(String) COMMENT 'Resolved team; empty: unassigned',
    business_unit LowCardinality(String) COMMENT 'Resolved business unit; empty: unassigned',
    use_case LowCardinality(String) COMMENT 'Resolved use case; empty: unassigned',
    provider LowCardinality(String) COMMENT 'Provider that bills for it',
    sku LowCardinality(String) COMMENT 'Model, instance type or storage class that was used',
    kind LowCardinality(String) COMMENT 'llm, compute, storage, transfer or custom',
    activity LowCardinality(String) COMMENT 'training, inference, storage, data_processing or other',
    user LowCardinality(String) COMMENT 'Resolved user; (other) sums the users past the limit; the view costs has exact users',
    cost Decimal(38, 12) COMMENT 'USD that providers charge; a lower bound if unpriced_events is not 0',
    events UInt64 COMMENT 'Number of events',
    unpriced_events UInt64 COMMENT 'Events of which a part has no price',
    estimated_events UInt64 COMMENT 'Events whose price rests on a guess',
    estimated_cost Decimal(38, 12) COMMENT 'USD of the estimated events; included in cost',
    charged Decimal(38, 12) COMMENT 'USD that internal customers pay: cost with the agreed markups',
    free_events UInt64 COMMENT 'Events of what the provider offers free',
    usage Map(String, Decimal(38, 9)) COMMENT 'Meter to quantity',
    version UInt256 COMMENT 'Version of the window; grows with every change',
    written_at DateTime64(3, 'UTC') COMMENT 'When this row was computed',
    final_as_of DateTime64(3, 'UTC') COMMENT 'Everything accepted before this time is counted; 1970: not known yet',
    is_final Bool COMMENT 'True if the window ended before final_as_of: only late or corrected events can change it'
)
AS SELECT
    tenant, window AS time, project, team, business_unit, use_case, provider, sku, kind, activity, user,
    cost, events, unpriced_events, estimated_events, estimated_cost, cost + markup AS charged, free_events, usage, version, written_at,
    ifNull((SELECT max(at) FROM watermark), toDateTime64(0, 3, 'UTC')) AS final_as_of, window + INTERVAL 86400 SECOND <= final_as_of AS is_final
FROM rollup_day FINAL
ARRAY JOIN
    groups.project AS project, groups.team AS team, groups.business_unit AS business_unit,
    groups.use_case AS use_case, groups.provider AS provider, groups.sku AS sku, groups.kind AS kind,
    groups.activity AS activity, groups.user AS user, groups.cost AS cost, groups.events AS events,
    groups.unpriced_events AS unpriced_events, groups.usage AS usage,
    groups.estimated_events AS estimated_events, groups.estimated_cost AS estimated_cost, groups.markup AS markup,
    groups.free_events AS free_events
COMMENT 'Costs by day and dimensions, updated within seconds';
