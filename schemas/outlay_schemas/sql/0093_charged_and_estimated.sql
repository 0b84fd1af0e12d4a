-- What the provider charges (cost) and what the internal customer pays (charged) apart; what is estimated, counted.
--
-- Windows from before get 0 for the new measures, which is what recomputing them says: no older ledger row is estimated,
-- and one without `charged` is charged what it cost.

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS charged Nullable(Decimal(38, 12)) COMMENT 'USD that the internal customer pays, where a markup applies; NULL: the same as cost' AFTER list_cost;

ALTER TABLE ledger COMMENT COLUMN cost 'USD that the provider charges. NULL: nothing of it could be priced, which is not the same as free. With price_status unpriced: the part that could be';

ALTER TABLE ledger COMMENT COLUMN price_status 'priced, estimated (the price rests on a guess), reported (the producer said), free, or unpriced (wholly or in part)';

ALTER TABLE ledger COMMENT COLUMN project 'Resolved project; empty: unassigned';

ALTER TABLE ledger COMMENT COLUMN team 'Resolved team; empty: unassigned';

ALTER TABLE ledger COMMENT COLUMN use_case 'Resolved use case; empty: unassigned';

ALTER TABLE ledger COMMENT COLUMN user 'Resolved user; empty: unassigned';

ALTER TABLE ledger COMMENT COLUMN business_unit 'Resolved business unit; empty: unassigned';

ALTER TABLE rollup_minute MODIFY COLUMN groups Array(Tuple(
    project LowCardinality(String), team LowCardinality(String), business_unit LowCardinality(String),
    use_case LowCardinality(String), provider LowCardinality(String), sku LowCardinality(String),
    kind LowCardinality(String), activity LowCardinality(String), user LowCardinality(String),
    cost Decimal(38, 12), events UInt64, unpriced_events UInt64, usage Map(String, Decimal(38, 9)),
    estimated_events UInt64, estimated_cost Decimal(38, 12), markup Decimal(38, 12)
)) COMMENT 'Every cell of the window: dimensions, USD, events, events not (wholly) priced, meter to quantity, events and USD whose price rests on a guess, and USD of markups on the cost. User is (other) past the bound';

ALTER TABLE rollup_hour MODIFY COLUMN groups Array(Tuple(
    project LowCardinality(String), team LowCardinality(String), business_unit LowCardinality(String),
    use_case LowCardinality(String), provider LowCardinality(String), sku LowCardinality(String),
    kind LowCardinality(String), activity LowCardinality(String), user LowCardinality(String),
    cost Decimal(38, 12), events UInt64, unpriced_events UInt64, usage Map(String, Decimal(38, 9)),
    estimated_events UInt64, estimated_cost Decimal(38, 12), markup Decimal(38, 12)
)) COMMENT 'Every cell of the window: dimensions, USD, events, events not (wholly) priced, meter to quantity, events and USD whose price rests on a guess, and USD of markups on the cost. User is (other) past the bound';

ALTER TABLE rollup_day MODIFY COLUMN groups Array(Tuple(
    project LowCardinality(String), team LowCardinality(String), business_unit LowCardinality(String),
    use_case LowCardinality(String), provider LowCardinality(String), sku LowCardinality(String),
    kind LowCardinality(String), activity LowCardinality(String), user LowCardinality(String),
    cost Decimal(38, 12), events UInt64, unpriced_events UInt64, usage Map(String, Decimal(38, 9)),
    estimated_events UInt64, estimated_cost Decimal(38, 12), markup Decimal(38, 12)
)) COMMENT 'Every cell of the window: dimensions, USD, events, events not (wholly) priced, meter to quantity, events and USD whose price rests on a guess, and USD of markups on the cost. User is (other) past the bound';

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
COMMENT 'Every cost event once, with its price and its owner';

CREATE OR REPLACE VIEW costs_minutely
(
    tenant LowCardinality(String) COMMENT 'Whose costs',
    time DateTime('UTC') COMMENT 'Start of the minute, UTC',
    project LowCardinality(String) COMMENT 'Resolved project; empty: unassigned',
    team LowCardinality(String) COMMENT 'Resolved team; empty: unassigned',
    business_unit LowCardinality(String) COMMENT 'Resolved business unit; empty: unassigned',
    use_case LowCardinality(String) COMMENT 'Resolved use case; empty: unassigned',
    provider LowCardinality(String) COMMENT 'Who bills for it',
    sku LowCardinality(String) COMMENT 'What was used: a model, an instance type, a storage class',
    kind LowCardinality(String) COMMENT 'llm, compute, storage, transfer or custom',
    activity LowCardinality(String) COMMENT 'training, inference, storage, data_processing or other',
    user LowCardinality(String) COMMENT 'Resolved user; (other): the tail past the bound; exact users are in costs',
    cost Decimal(38, 12) COMMENT 'USD that providers charge; events that could not be priced add what could be, see unpriced_events',
    events UInt64 COMMENT 'Number of events',
    unpriced_events UInt64 COMMENT 'How many of them are not, or not wholly, priced: cost is a lower bound if not 0',
    estimated_events UInt64 COMMENT 'How many of them have a price that rests on a guess',
    estimated_cost Decimal(38, 12) COMMENT 'USD of those; part of cost',
    charged Decimal(38, 12) COMMENT 'USD that internal customers pay: cost with the markups that were agreed',
    usage Map(String, Decimal(38, 9)) COMMENT 'Meter to quantity',
    version UInt256 COMMENT 'Version of the window; grows with every change',
    written_at DateTime64(3, 'UTC') COMMENT 'When this state was computed',
    final_as_of DateTime64(3, 'UTC') COMMENT 'Everything that was accepted by then is counted; 1970: not known yet',
    is_final Bool COMMENT 'Whether the window had ended by final_as_of: only late or corrected events can still change it'
)
AS SELECT
    tenant, window AS time, project, team, business_unit, use_case, provider, sku, kind, activity, user,
    cost, events, unpriced_events, estimated_events, estimated_cost, cost + markup AS charged, usage, version, written_at,
    ifNull((SELECT max(at) FROM watermark), toDateTime64(0, 3, 'UTC')) AS final_as_of, window + INTERVAL 60 SECOND <= final_as_of AS is_final
FROM rollup_minute FINAL
ARRAY JOIN
    groups.project AS project, groups.team AS team, groups.business_unit AS business_unit,
    groups.use_case AS use_case, groups.provider AS provider, groups.sku AS sku, groups.kind AS kind,
    groups.activity AS activity, groups.user AS user, groups.cost AS cost, groups.events AS events,
    groups.unpriced_events AS unpriced_events, groups.usage AS usage,
    groups.estimated_events AS estimated_events, groups.estimated_cost AS estimated_cost, groups.markup AS markup
COMMENT 'Costs by minute and dimensions, as new as the last events';

CREATE OR REPLACE VIEW costs_hourly
(
    tenant LowCardinality(String) COMMENT 'Whose costs',
    time DateTime('UTC') COMMENT 'Start of the hour, UTC',
    project LowCardinality(String) COMMENT 'Resolved project; empty: unassigned',
    team LowCardinality(String) COMMENT 'Resolved team; empty: unassigned',
    business_unit LowCardinality(String) COMMENT 'Resolved business unit; empty: unassigned',
    use_case LowCardinality(String) COMMENT 'Resolved use case; empty: unassigned',
    provider LowCardinality(String) COMMENT 'Who bills for it',
    sku LowCardinality(String) COMMENT 'What was used: a model, an instance type, a storage class',
    kind LowCardinality(String) COMMENT 'llm, compute, storage, transfer or custom',
    activity LowCardinality(String) COMMENT 'training, inference, storage, data_processing or other',
    user LowCardinality(String) COMMENT 'Resolved user; (other): the tail past the bound; exact users are in costs',
    cost Decimal(38, 12) COMMENT 'USD that providers charge; events that could not be priced add what could be, see unpriced_events',
    events UInt64 COMMENT 'Number of events',
    unpriced_events UInt64 COMMENT 'How many of them are not, or not wholly, priced: cost is a lower bound if not 0',
    estimated_events UInt64 COMMENT 'How many of them have a price that rests on a guess',
    estimated_cost Decimal(38, 12) COMMENT 'USD of those; part of cost',
    charged Decimal(38, 12) COMMENT 'USD that internal customers pay: cost with the markups that were agreed',
    usage Map(String, Decimal(38, 9)) COMMENT 'Meter to quantity',
    version UInt256 COMMENT 'Version of the window; grows with every change',
    written_at DateTime64(3, 'UTC') COMMENT 'When this state was computed',
    final_as_of DateTime64(3, 'UTC') COMMENT 'Everything that was accepted by then is counted; 1970: not known yet',
    is_final Bool COMMENT 'Whether the window had ended by final_as_of: only late or corrected events can still change it'
)
AS SELECT
    tenant, window AS time, project, team, business_unit, use_case, provider, sku, kind, activity, user,
    cost, events, unpriced_events, estimated_events, estimated_cost, cost + markup AS charged, usage, version, written_at,
    ifNull((SELECT max(at) FROM watermark), toDateTime64(0, 3, 'UTC')) AS final_as_of, window + INTERVAL 3600 SECOND <= final_as_of AS is_final
FROM rollup_hour FINAL
ARRAY JOIN
    groups.project AS project, groups.team AS team, groups.business_unit AS business_unit,
    groups.use_case AS use_case, groups.provider AS provider, groups.sku AS sku, groups.kind AS kind,
    groups.activity AS activity, groups.user AS user, groups.cost AS cost, groups.events AS events,
    groups.unpriced_events AS unpriced_events, groups.usage AS usage,
    groups.estimated_events AS estimated_events, groups.estimated_cost AS estimated_cost, groups.markup AS markup
COMMENT 'Costs by hour and dimensions, as new as the last events';

CREATE OR REPLACE VIEW costs_daily
(
    tenant LowCardinality(String) COMMENT 'Whose costs',
    time DateTime('UTC') COMMENT 'Start of the day, UTC',
    project LowCardinality(String) COMMENT 'Resolved project; empty: unassigned',
    team LowCardinality(String) COMMENT 'Resolved team; empty: unassigned',
    business_unit LowCardinality(String) COMMENT 'Resolved business unit; empty: unassigned',
    use_case LowCardinality(String) COMMENT 'Resolved use case; empty: unassigned',
    provider LowCardinality(String) COMMENT 'Who bills for it',
    sku LowCardinality(String) COMMENT 'What was used: a model, an instance type, a storage class',
    kind LowCardinality(String) COMMENT 'llm, compute, storage, transfer or custom',
    activity LowCardinality(String) COMMENT 'training, inference, storage, data_processing or other',
    user LowCardinality(String) COMMENT 'Resolved user; (other): the tail past the bound; exact users are in costs',
    cost Decimal(38, 12) COMMENT 'USD that providers charge; events that could not be priced add what could be, see unpriced_events',
    events UInt64 COMMENT 'Number of events',
    unpriced_events UInt64 COMMENT 'How many of them are not, or not wholly, priced: cost is a lower bound if not 0',
    estimated_events UInt64 COMMENT 'How many of them have a price that rests on a guess',
    estimated_cost Decimal(38, 12) COMMENT 'USD of those; part of cost',
    charged Decimal(38, 12) COMMENT 'USD that internal customers pay: cost with the markups that were agreed',
    usage Map(String, Decimal(38, 9)) COMMENT 'Meter to quantity',
    version UInt256 COMMENT 'Version of the window; grows with every change',
    written_at DateTime64(3, 'UTC') COMMENT 'When this state was computed',
    final_as_of DateTime64(3, 'UTC') COMMENT 'Everything that was accepted by then is counted; 1970: not known yet',
    is_final Bool COMMENT 'Whether the window had ended by final_as_of: only late or corrected events can still change it'
)
AS SELECT
    tenant, window AS time, project, team, business_unit, use_case, provider, sku, kind, activity, user,
    cost, events, unpriced_events, estimated_events, estimated_cost, cost + markup AS charged, usage, version, written_at,
    ifNull((SELECT max(at) FROM watermark), toDateTime64(0, 3, 'UTC')) AS final_as_of, window + INTERVAL 86400 SECOND <= final_as_of AS is_final
FROM rollup_day FINAL
ARRAY JOIN
    groups.project AS project, groups.team AS team, groups.business_unit AS business_unit,
    groups.use_case AS use_case, groups.provider AS provider, groups.sku AS sku, groups.kind AS kind,
    groups.activity AS activity, groups.user AS user, groups.cost AS cost, groups.events AS events,
    groups.unpriced_events AS unpriced_events, groups.usage AS usage,
    groups.estimated_events AS estimated_events, groups.estimated_cost AS estimated_cost, groups.markup AS markup
COMMENT 'Costs by day and dimensions, as new as the last events';
