-- Where each alert was told first, for channels that say what follows in its thread.

CREATE TABLE IF NOT EXISTS alert_threads
(
    channel LowCardinality(String) COMMENT 'Which channel of the catalog',
    alert String COMMENT 'Id of the alert',
    place String COMMENT 'Where, in the words of the receiver: the id of a channel of Slack',
    ts String COMMENT 'Id of the message there',
    alone Bool COMMENT 'Whether the message tells this alert only, so that it is written anew when the alert changes',
    at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was told; the newest wins'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (channel, alert)
TTL toDateTime(at) + INTERVAL 400 DAY
COMMENT 'Messages that what follows is told under. Read it with FINAL';
