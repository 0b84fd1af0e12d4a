-- What people say about alerts: leave this one, or this rule, alone until then. And when each alert was last told.

ALTER TABLE alerts ADD COLUMN IF NOT EXISTS told_at DateTime64(3, 'UTC') COMMENT 'When this state was decided' AFTER window;

CREATE TABLE IF NOT EXISTS alert_snoozes
(
    tenant LowCardinality(String) COMMENT 'Whose alerts',
    target String COMMENT 'Id of an alert, or of a rule or budget: then all of its alerts',
    until DateTime64(3, 'UTC') COMMENT 'Until when people are not told',
    note String COMMENT 'Why',
    at DateTime64(3, 'UTC') COMMENT 'When this was said; the newest wins'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (tenant, target)
COMMENT 'Alerts that people asked to be left alone with for a time. Read it with FINAL';
