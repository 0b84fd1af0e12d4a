-- The body accepted last counts (docs/adr/0016): the order of acceptance is part of the version of a row.
-- What releases before this one wrote has no stamp (0): it keeps its order and loses against everything stamped.

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS accepted_ms UInt64 DEFAULT 0
    COMMENT 'When the event was accepted, milliseconds since 1970; of two bodies the later counts. 0: an older release wrote it' CODEC(Delta(8), ZSTD(1)) AFTER fingerprint;

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS accepted_seq UInt64 DEFAULT 0
    COMMENT 'Its place among the events accepted in that millisecond' CODEC(ZSTD(1)) AFTER accepted_ms;

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS accepted_at DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(toInt64(accepted_ms), 'UTC')
    COMMENT 'When the event was accepted, UTC; 1970: an older release wrote it' AFTER accepted_seq;

ALTER TABLE ledger MODIFY COLUMN row_version UInt256 DEFAULT if(accepted_ms = 0,
        (toUInt256(revision) + 1) * 1048576 + bitAnd(fingerprint, 1048575),
        bitShiftLeft(toUInt256(accepted_ms), 128) + bitShiftLeft(toUInt256(accepted_seq), 64)
            + bitShiftLeft(toUInt256(bitAnd(fingerprint, 1048575)), 44) + bitAnd(revision, 17592186044415))
    COMMENT 'Of two rows under one identity the greater counts: accepted later, or priced by a newer revision (docs/adr/0016)' CODEC(ZSTD(1));

ALTER TABLE ledger MODIFY COLUMN fingerprint COMMENT '20 bits of the content of the usage event: two bodies under one identity differ in it';

ALTER TABLE rollup_minute MODIFY COLUMN version UInt256;

ALTER TABLE rollup_hour MODIFY COLUMN version UInt256;

ALTER TABLE rollup_day MODIFY COLUMN version UInt256;

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
    version UInt256 COMMENT 'Version of the window; grows with every change',
    written_at DateTime64(3, 'UTC') COMMENT 'When this state was computed',
    final_as_of DateTime64(3, 'UTC') COMMENT 'Everything that was accepted by then is counted; 1970: not known yet',
    is_final Bool COMMENT 'Whether the window had ended by final_as_of: only late or corrected events can still change it'
)
AS SELECT
    tenant, window AS time, project, team, business_unit, use_case, provider, sku, kind, activity, user,
    cost, events, unpriced_events, usage, version, written_at,
    ifNull((SELECT max(at) FROM watermark), toDateTime64(0, 3, 'UTC')) AS final_as_of, window + INTERVAL 60 SECOND <= final_as_of AS is_final
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
    version UInt256 COMMENT 'Version of the window; grows with every change',
    written_at DateTime64(3, 'UTC') COMMENT 'When this state was computed',
    final_as_of DateTime64(3, 'UTC') COMMENT 'Everything that was accepted by then is counted; 1970: not known yet',
    is_final Bool COMMENT 'Whether the window had ended by final_as_of: only late or corrected events can still change it'
)
AS SELECT
    tenant, window AS time, project, team, business_unit, use_case, provider, sku, kind, activity, user,
    cost, events, unpriced_events, usage, version, written_at,
    ifNull((SELECT max(at) FROM watermark), toDateTime64(0, 3, 'UTC')) AS final_as_of, window + INTERVAL 3600 SECOND <= final_as_of AS is_final
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
    version UInt256 COMMENT 'Version of the window; grows with every change',
    written_at DateTime64(3, 'UTC') COMMENT 'When this state was computed',
    final_as_of DateTime64(3, 'UTC') COMMENT 'Everything that was accepted by then is counted; 1970: not known yet',
    is_final Bool COMMENT 'Whether the window had ended by final_as_of: only late or corrected events can still change it'
)
AS SELECT
    tenant, window AS time, project, team, business_unit, use_case, provider, sku, kind, activity, user,
    cost, events, unpriced_events, usage, version, written_at,
    ifNull((SELECT max(at) FROM watermark), toDateTime64(0, 3, 'UTC')) AS final_as_of, window + INTERVAL 86400 SECOND <= final_as_of AS is_final
FROM rollup_day FINAL
ARRAY JOIN
    groups.project AS project, groups.team AS team, groups.business_unit AS business_unit,
    groups.use_case AS use_case, groups.provider AS provider, groups.sku AS sku, groups.kind AS kind,
    groups.activity AS activity, groups.user AS user, groups.cost AS cost, groups.events AS events,
    groups.unpriced_events AS unpriced_events, groups.usage AS usage
COMMENT 'Costs by day and dimensions, as new as the last events';
