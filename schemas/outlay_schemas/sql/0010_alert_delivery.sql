-- Delivery of alerts: the outbox with its retries, the log of tries, and endpoints that are gone.

CREATE TABLE IF NOT EXISTS alert_messages
(
    tenant LowCardinality(String) COMMENT 'Whose costs',
    message_id String COMMENT 'The id that every try of every channel sends: receivers keep one',
    channel LowCardinality(String) COMMENT 'Where it goes: bus, console, webhook, slack, ...',
    body String COMMENT 'The alert, JSON (schema Alert)' CODEC(ZSTD(3)),
    state LowCardinality(String) DEFAULT 'waiting' COMMENT 'waiting, sent, or dead (given up, see reason)',
    attempt UInt32 COMMENT 'Tries so far',
    step UInt32 COMMENT 'Counts what was written of this message; the greatest wins',
    bundle String COMMENT 'The id under which it is told together with others; empty: by itself',
    due_at DateTime64(3, 'UTC') COMMENT 'When it is to be tried',
    reason String COMMENT 'Why the last try failed; empty: it did not',
    created_at DateTime64(6, 'UTC') COMMENT 'When it was decided',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(step)
PARTITION BY toYYYYMM(created_at)
ORDER BY (channel, tenant, message_id)
COMMENT 'The outbox: what is to be told by each channel, and what came of it. Read it with FINAL';

CREATE TABLE IF NOT EXISTS alert_deliveries
(
    at DateTime64(3, 'UTC') COMMENT 'When the try ended',
    tenant LowCardinality(String) COMMENT 'Whose costs',
    channel LowCardinality(String) COMMENT 'Where it went',
    message_id String COMMENT 'The id that was sent: of one message, or of a bundle',
    messages UInt32 COMMENT 'How many messages were in it',
    attempt UInt32 COMMENT 'Which try, from 1',
    outcome LowCardinality(String) COMMENT 'sent, later, or dead',
    status UInt16 COMMENT 'HTTP status of the answer; 0: there was none',
    reason String COMMENT 'What went wrong',
    took_ms UInt32 COMMENT 'Milliseconds that the try took'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (channel, at)
TTL toDateTime(at) + INTERVAL 90 DAY
COMMENT 'Every try to tell an alert';

CREATE TABLE IF NOT EXISTS alert_endpoints
(
    channel LowCardinality(String) COMMENT 'Which channel',
    target String COMMENT 'Hash of the address: another address is another endpoint',
    disabled Bool COMMENT 'Whether nothing is sent to it',
    reason String COMMENT 'Why',
    at DateTime64(3, 'UTC') COMMENT 'Since when; the newest wins'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (channel, target)
COMMENT 'Endpoints that said that they are gone (410). Read it with FINAL';
