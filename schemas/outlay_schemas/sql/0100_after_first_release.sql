-- Everything that changed in the tables after release 0.1.0. The views are in 0101.

-- Of two events with one source and id, the one accepted last counts (docs/adr/0016). Rows of 0.1.0 have no acceptance
-- time (0): they keep their order and lose against every later row.
ALTER TABLE ledger
    ADD COLUMN IF NOT EXISTS charged Nullable(Decimal(38, 12)) COMMENT 'USD that the internal customer pays, where a markup applies; NULL: the same as cost' AFTER list_cost,
    ADD COLUMN IF NOT EXISTS accepted_ms UInt64 DEFAULT 0 COMMENT 'When the event was accepted, milliseconds since 1970; of two bodies the later one counts. 0: written by 0.1.0' CODEC(Delta(8), ZSTD(1)) AFTER fingerprint,
    ADD COLUMN IF NOT EXISTS accepted_seq UInt64 DEFAULT 0 COMMENT 'Its place among the events accepted in that millisecond' CODEC(ZSTD(1)) AFTER accepted_ms,
    ADD COLUMN IF NOT EXISTS accepted_at DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(toInt64(accepted_ms), 'UTC') COMMENT 'When the event was accepted, UTC; 1970: written by 0.1.0' AFTER accepted_seq,
    ADD COLUMN IF NOT EXISTS retracted Bool DEFAULT false COMMENT 'The event counts in another row: a body accepted later has another time. The view costs leaves this row out' AFTER accepted_at;

ALTER TABLE ledger
    MODIFY COLUMN row_version UInt256 DEFAULT if(accepted_ms = 0,
        (toUInt256(revision) + 1) * 1048576 + bitAnd(fingerprint, 1048575),
        bitShiftLeft(toUInt256(accepted_ms), 128) + bitShiftLeft(toUInt256(accepted_seq), 64)
            + bitShiftLeft(toUInt256(bitAnd(fingerprint, 1048575)), 44) + bitAnd(revision, 17592186044415))
    COMMENT 'Of two rows with one identity the greater counts: accepted later, or priced by a newer revision (docs/adr/0016)' CODEC(ZSTD(1));

ALTER TABLE ledger MODIFY COMMENT 'Every cost event once: one row per tenant, second, source and id, some retracted. Read the view costs';

ALTER TABLE ledger
    COMMENT COLUMN tenant 'Tenant that pays; set from the API key that sent the event',
    COMMENT COLUMN source 'Producer of the event; with id its identity',
    COMMENT COLUMN time 'When the usage happened, UTC',
    COMMENT COLUMN provider 'Provider that bills for it, such as openai or aws',
    COMMENT COLUMN sku 'Model, instance type or storage class that was used, as the provider names it',
    COMMENT COLUMN cost 'USD that the provider charges. NULL: no part has a price, which does not mean free. With price_status unpriced: the part that has one',
    COMMENT COLUMN price_status 'priced, estimated (the price rests on a guess), reported (by the producer), free, or unpriced (wholly or in part)',
    COMMENT COLUMN price_ref 'Source of the price: price book, version and rule',
    COMMENT COLUMN unpriced_meters 'Meters without a price',
    COMMENT COLUMN project 'Resolved project; empty: unassigned',
    COMMENT COLUMN team 'Resolved team; empty: unassigned',
    COMMENT COLUMN use_case 'Resolved use case; empty: unassigned',
    COMMENT COLUMN user 'Resolved user; empty: unassigned',
    COMMENT COLUMN business_unit 'Resolved business unit; empty: unassigned',
    COMMENT COLUMN reported_cost 'USD that the producer reports as billed; NULL: not reported',
    COMMENT COLUMN fingerprint '20 bits of the content of the usage event: two bodies with one identity differ in it';

-- The rollups get the new measures. Windows of 0.1.0 get 0 for them, which is also what a recomputation gives.
ALTER TABLE rollup_minute MODIFY COLUMN version UInt256, MODIFY COLUMN groups Array(Tuple(
    project LowCardinality(String), team LowCardinality(String), business_unit LowCardinality(String),
    use_case LowCardinality(String), provider LowCardinality(String), sku LowCardinality(String),
    kind LowCardinality(String), activity LowCardinality(String), user LowCardinality(String),
    cost Decimal(38, 12), events UInt64, unpriced_events UInt64, usage Map(String, Decimal(38, 9)),
    estimated_events UInt64, estimated_cost Decimal(38, 12), markup Decimal(38, 12),
    free_events UInt64
)) COMMENT 'Cells of the window: dimensions, USD, events, unpriced events, usage by meter, estimated events and USD, USD of markups, free events. User (other) sums the users past the limit';

ALTER TABLE rollup_hour MODIFY COLUMN version UInt256, MODIFY COLUMN groups Array(Tuple(
    project LowCardinality(String), team LowCardinality(String), business_unit LowCardinality(String),
    use_case LowCardinality(String), provider LowCardinality(String), sku LowCardinality(String),
    kind LowCardinality(String), activity LowCardinality(String), user LowCardinality(String),
    cost Decimal(38, 12), events UInt64, unpriced_events UInt64, usage Map(String, Decimal(38, 9)),
    estimated_events UInt64, estimated_cost Decimal(38, 12), markup Decimal(38, 12),
    free_events UInt64
)) COMMENT 'Cells of the window: dimensions, USD, events, unpriced events, usage by meter, estimated events and USD, USD of markups, free events. User (other) sums the users past the limit';

ALTER TABLE rollup_day MODIFY COLUMN version UInt256, MODIFY COLUMN groups Array(Tuple(
    project LowCardinality(String), team LowCardinality(String), business_unit LowCardinality(String),
    use_case LowCardinality(String), provider LowCardinality(String), sku LowCardinality(String),
    kind LowCardinality(String), activity LowCardinality(String), user LowCardinality(String),
    cost Decimal(38, 12), events UInt64, unpriced_events UInt64, usage Map(String, Decimal(38, 9)),
    estimated_events UInt64, estimated_cost Decimal(38, 12), markup Decimal(38, 12),
    free_events UInt64
)) COMMENT 'Cells of the window: dimensions, USD, events, unpriced events, usage by meter, estimated events and USD, USD of markups, free events. User (other) sums the users past the limit';

-- Source and id are the identity of an event, whatever its time (docs/adr/0016). The ledger is sorted by time; this
-- index says in which seconds of the ledger an identity has rows.
CREATE TABLE IF NOT EXISTS identities
(
    identity UInt64 COMMENT 'CRC-32 of tenant, source and id with zero bytes between, then that of the same bytes backwards',
    second DateTime('UTC') COMMENT 'A second in which the ledger has a row with this identity' CODEC(Delta(4), LZ4)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYear(second)
ORDER BY (identity, second)
TTL second + INTERVAL 1162 DAY
SETTINGS index_granularity = 1024, ttl_only_drop_parts = 1
COMMENT 'Seconds of the ledger by event identity: finds an event that comes again with another time';

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

RENAME TABLE IF EXISTS crowds TO high_cardinality_sources;

ALTER TABLE high_cardinality_sources
    MODIFY COMMENT 'Producers that send more different values in a minute than its rollup lists: their users are (other) there. Read it with FINAL',
    COMMENT COLUMN tenant 'Tenant of the events',
    COMMENT COLUMN minute 'The minute with too many cells',
    COMMENT COLUMN source 'Producer of most of the cells',
    COMMENT COLUMN dimension 'The dimension with most different values: user, project, ...',
    COMMENT COLUMN distinct 'Approximate number of its different values in the minute',
    COMMENT COLUMN cells 'Approximate number of rollup cells of its events',
    COMMENT COLUMN events 'Number of its events in the minute';

RENAME TABLE IF EXISTS closings TO closed_periods;

ALTER TABLE closed_periods
    ADD COLUMN IF NOT EXISTS unit LowCardinality(String) DEFAULT 'business_unit' COMMENT 'The dimension that pays: each of its values has a statement' AFTER zone,
    MODIFY COMMENT 'Each closing of a month. A later change of the ledger is an amendment. Read it with FINAL',
    COMMENT COLUMN tenant 'Tenant that pays',
    COMMENT COLUMN seq 'Number of the closing: 1 is the first, each later one includes the amendments before it',
    COMMENT COLUMN unpriced_events 'Events of which a part has no price: total is a lower bound if not 0',
    COMMENT COLUMN body 'The lines of the statements, JSON',
    COMMENT COLUMN closed_by 'Who closed it',
    COMMENT COLUMN note 'The comment of whoever closed it';

DROP TABLE IF EXISTS alert_snoozes;

ALTER TABLE alerts
    ADD COLUMN IF NOT EXISTS incident String DEFAULT id COMMENT 'Id of the incident that the alert belongs to: the id of the alert that opened it' AFTER id,
    RENAME COLUMN IF EXISTS told_at TO decided_at,
    RENAME COLUMN IF EXISTS heard TO notified,
    RENAME COLUMN IF EXISTS lasts TO ended_reason;

ALTER TABLE alerts
    COMMENT COLUMN tenant 'Tenant that pays',
    COMMENT COLUMN seq 'Number of the change of state: 1 fires, 2 resolves, 3 fires again; the greatest counts',
    COMMENT COLUMN notified 'True if people were notified: not while the alert is muted, snoozed or part of an incident',
    COMMENT COLUMN ended_reason 'Why the alert is closed although the breach continues: expected (a person marked it), ended (its period is over); empty: it is not',
    COMMENT COLUMN body 'The alert as it was sent, JSON (schema Alert)';

-- Two tables cannot be renamed: their keys and versions change names. A repeat finds an empty old table.
CREATE TABLE IF NOT EXISTS alert_actions
(
    tenant LowCardinality(String) COMMENT 'Tenant of the alert',
    target String COMMENT 'Id of an alert; of a snooze also the id of a rule or budget, for all of its alerts',
    action LowCardinality(String) COMMENT 'acknowledged, snoozed or expected',
    until Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the action; NULL: as long as the alert lasts. In the past: the action was undone',
    comment String COMMENT 'Why',
    actor String COMMENT 'Who did it',
    at DateTime64(3, 'UTC') COMMENT 'When it was done; of each kind the newest counts'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (tenant, target, action)
COMMENT 'What people did with alerts: acknowledged, snoozed, marked as expected. Applied within seconds. Read it with FINAL';

CREATE TABLE IF NOT EXISTS alert_words
    (tenant String, target String, say String, until Nullable(DateTime64(3, 'UTC')), note String, by String, at DateTime64(3, 'UTC'))
ENGINE = Memory;

INSERT INTO alert_actions (tenant, target, action, until, comment, actor, at)
SELECT tenant, target, say, until, note, by, at FROM alert_words;

DROP TABLE IF EXISTS alert_words;

CREATE TABLE IF NOT EXISTS alert_outbox
(
    tenant LowCardinality(String) COMMENT 'Tenant of the alert',
    message_id String COMMENT 'Id that every attempt of every channel sends: receivers keep one message per id',
    incident String COMMENT 'Id of the incident that the message is about; empty: it is about none',
    channel LowCardinality(String) COMMENT 'Channel: bus, console, webhook, slack, ...',
    body String COMMENT 'The alert, JSON (schema Alert)' CODEC(ZSTD(3)),
    state LowCardinality(String) DEFAULT 'waiting' COMMENT 'waiting, sent, or failed (given up, see reason)',
    attempt UInt32 COMMENT 'Number of attempts so far',
    version UInt32 COMMENT 'Number of writes of this message; the greatest counts',
    batch_id String COMMENT 'Id of the batch that it is sent in; empty: it is sent alone',
    due_at DateTime64(3, 'UTC') COMMENT 'Time of the next attempt',
    reason String COMMENT 'Why the last attempt failed; empty: it did not',
    created_at DateTime64(6, 'UTC') COMMENT 'When the message was decided',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(created_at)
ORDER BY (channel, tenant, message_id)
COMMENT 'The outbox: messages to send by each channel, and their state. Read it with FINAL';

CREATE TABLE IF NOT EXISTS alert_messages
    (tenant String, message_id String, channel String, body String, state String, attempt UInt32, step UInt32, bundle String,
    due_at DateTime64(3, 'UTC'), reason String, created_at DateTime64(6, 'UTC'), written_at DateTime64(3, 'UTC'))
ENGINE = Memory;

INSERT INTO alert_outbox (tenant, message_id, channel, body, state, attempt, version, batch_id, due_at, reason, created_at, written_at)
SELECT tenant, message_id, channel, body, if(state = 'dead', 'failed', state), attempt, step, bundle, due_at, reason, created_at, written_at
FROM alert_messages;

DROP TABLE IF EXISTS alert_messages;

ALTER TABLE alert_deliveries UPDATE outcome = transform(outcome, ['later', 'dead'], ['retry', 'failed'], outcome)
WHERE outcome IN ('later', 'dead');

ALTER TABLE alert_deliveries
    MODIFY COMMENT 'Every attempt to deliver a message',
    COMMENT COLUMN at 'When the attempt ended',
    COMMENT COLUMN tenant 'Tenant of the alert',
    COMMENT COLUMN channel 'Channel',
    COMMENT COLUMN message_id 'Id that was sent: of one message, or of a batch',
    COMMENT COLUMN messages 'Number of messages in it',
    COMMENT COLUMN attempt 'Number of the attempt, from 1',
    COMMENT COLUMN outcome 'sent, retry, or failed',
    COMMENT COLUMN status 'HTTP status of the answer; 0: no answer',
    COMMENT COLUMN reason 'Why it failed',
    COMMENT COLUMN took_ms 'Duration of the attempt in milliseconds';

ALTER TABLE alert_endpoints
    MODIFY COMMENT 'Endpoints that are disabled because they answered that they no longer exist (410). Read it with FINAL';

ALTER TABLE alert_threads
    MODIFY COMMENT 'The first message of each alert, so that later ones are replies in its thread. Read it with FINAL',
    COMMENT COLUMN channel 'Channel of the catalog',
    COMMENT COLUMN place 'Where the message is, as the receiver names it: the id of a Slack channel',
    COMMENT COLUMN ts 'Id of the message there',
    COMMENT COLUMN alone 'True if the message is about this alert only, so that it is rewritten when the alert changes',
    COMMENT COLUMN at 'When it was sent; the newest counts';

ALTER TABLE budget_status
    MODIFY COMMENT 'The status of each budget. Read it with FINAL',
    COMMENT COLUMN tenant 'Tenant of the budget',
    COMMENT COLUMN standing 'ok, warning, over, or removed: it is no longer in the catalog',
    COMMENT COLUMN at 'Time of the status; the newest counts',
    COMMENT COLUMN body 'The whole status, JSON (docs/alerts.md)';

-- Two tables of estimates are written again within minutes, under better names.
DROP TABLE IF EXISTS opportunities;

CREATE TABLE IF NOT EXISTS opportunities
(
    tenant LowCardinality(String) COMMENT 'Tenant that would save',
    evaluated_at DateTime64(3, 'UTC') COMMENT 'When the evaluation ended; the rows of the newest one count',
    id String COMMENT 'Stable id of a saving in one place; empty: the row that sums the evaluation up',
    kind LowCardinality(String) COMMENT 'Batch tier, prompt caching, idle machines, and so on',
    team String COMMENT 'Team whose costs they are',
    project String COMMENT 'Project whose costs they are',
    provider LowCardinality(String) COMMENT 'Provider that bills',
    sku String COMMENT 'Model, instance type or storage class',
    recommendation String COMMENT 'What to do',
    prerequisite String COMMENT 'What to check first',
    saving Decimal(38, 12) COMMENT 'USD that it would have saved in the evaluated time. Savings overlap: do not add them up',
    cost Decimal(38, 12) COMMENT 'USD that the events cost',
    events UInt64 COMMENT 'Number of events it was found in; in the row that sums up: all evaluated events',
    since DateTime('UTC') COMMENT 'First evaluated minute, UTC',
    until DateTime('UTC') COMMENT 'End of the evaluated time, UTC',
    example_source String COMMENT 'Source of an event that shows it',
    example_id String COMMENT 'Id of that event'
)
ENGINE = MergeTree
ORDER BY (tenant, evaluated_at)
TTL toDateTime(evaluated_at) + INTERVAL 30 DAY
COMMENT 'Possible savings, evaluated every hour. Read the newest evaluated_at of a tenant';

DROP TABLE IF EXISTS price_changes;

CREATE TABLE IF NOT EXISTS price_changes
(
    tenant LowCardinality(String) COMMENT 'Tenant whose usage it is calculated for',
    at DateTime('UTC') COMMENT 'When the price changes, UTC',
    provider LowCardinality(String) COMMENT 'Provider whose price changes',
    sku String COMMENT 'Model, instance type or storage class',
    before Decimal(38, 12) COMMENT 'USD that the usage of the last 30 days costs at the prices of the day before',
    after Decimal(38, 12) COMMENT 'USD that it would cost at the prices of the day',
    events UInt64 COMMENT 'Events of that usage',
    priced UInt64 COMMENT 'How many of them were priced both ways; if that is not all, the sums are scaled',
    evaluated_at DateTime64(3, 'UTC') COMMENT 'When this was calculated; the newest counts, for some days'
)
ENGINE = ReplacingMergeTree(evaluated_at)
ORDER BY (tenant, at, provider, sku)
TTL at + INTERVAL 30 DAY
COMMENT 'Prices that change soon. Read it with FINAL';

ALTER TABLE dismissals
    MODIFY COMMENT 'Opportunities that a person dismissed, and why. Read it with FINAL',
    COMMENT COLUMN dismissed 'True if it is dismissed; the newest row counts',
    COMMENT COLUMN by 'Who dismissed or restored it';

ALTER TABLE catalogs
    MODIFY COMMENT 'Every catalog that was ever in force. Read it with FINAL',
    COMMENT COLUMN revision 'Revision of the catalog; a cost event names the one that priced it',
    COMMENT COLUMN note 'The comment of whoever published it';

ALTER TABLE conflicts
    MODIFY COMMENT 'Events with one identity that differ, one row each: the ledger counts one of them. Read it with FINAL',
    COMMENT COLUMN tenant 'Tenant of the events',
    COMMENT COLUMN source 'Producer of the events',
    COMMENT COLUMN time 'Time of usage that this event states, UTC',
    COMMENT COLUMN cost 'USD that this event would cost; NULL: not priced',
    COMMENT COLUMN revision 'Catalog revision that priced it';

ALTER TABLE watermark
    MODIFY COMMENT 'The time before which everything accepted is counted. Read it with FINAL',
    COMMENT COLUMN at 'Everything accepted before this time is in the ledger and in the rollups';

ALTER TABLE dead_letters
    MODIFY COMMENT 'Input that could not be used, whole, with the reason. Read it with FINAL',
    COMMENT COLUMN tenant 'Tenant of the input; empty: not known',
    COMMENT COLUMN stage 'The service that refused it: ingest, pricer or aggregator',
    COMMENT COLUMN message 'What is wrong and how to fix it',
    COMMENT COLUMN line 'Line of the record, from 0';

ALTER TABLE dead_letter_replays
    MODIFY COMMENT 'Dead letters that were fixed and sent again. Read it with FINAL',
    COMMENT COLUMN tenant 'Tenant of the input',
    COMMENT COLUMN body 'What was sent, with the fixes';
