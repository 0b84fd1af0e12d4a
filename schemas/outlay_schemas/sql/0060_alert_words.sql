-- What people say about alerts, and whether people were told of one at all.

CREATE TABLE IF NOT EXISTS alert_words
(
    tenant LowCardinality(String) COMMENT 'Whose alerts',
    target String COMMENT 'Id of an alert; what is snoozed may be a rule or a budget too: then all of its alerts',
    say LowCardinality(String) COMMENT 'acknowledged: in hand; snoozed: left alone until then; expected: it is as it should be',
    until Nullable(DateTime64(3, 'UTC')) COMMENT 'Until when it holds; NULL: as long as the alert lasts. In the past: taken back',
    note String COMMENT 'Why',
    by String COMMENT 'Who said so',
    at DateTime64(3, 'UTC') COMMENT 'When this was said; the newest of a kind wins'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (tenant, target, say)
COMMENT 'What people say about alerts: the alerter heeds it within seconds. Read it with FINAL';

INSERT INTO alert_words (tenant, target, say, until, note, at)
SELECT tenant, target, 'snoozed', until, note, at FROM alert_snoozes FINAL;

ALTER TABLE alert_snoozes MODIFY COMMENT 'Superseded by alert_words, which has what was in it';

ALTER TABLE alerts ADD COLUMN IF NOT EXISTS heard Bool DEFAULT true COMMENT 'Whether people were told of it: not while it is muted, snoozed, or told by another' AFTER told_at;
ALTER TABLE alerts ADD COLUMN IF NOT EXISTS lasts LowCardinality(String) COMMENT 'Why it is resolved for people though the breach lasts: expected (somebody said so), ended (its period is over); empty: it does not' AFTER state;
ALTER TABLE alerts COMMENT COLUMN state 'pending, firing, acknowledged, or resolved';
