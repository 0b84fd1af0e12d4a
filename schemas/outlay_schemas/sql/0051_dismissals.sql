-- Opportunities that somebody looked at and does not want, or wants back.

CREATE TABLE IF NOT EXISTS dismissals
(
    id String COMMENT 'Id of the opportunity: the same way of saving in the same place keeps it',
    dismissed Bool COMMENT 'Whether it is dismissed; the newest row says',
    reason String COMMENT 'Why',
    by String COMMENT 'Who',
    at DateTime64(6, 'UTC') COMMENT 'When'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY id
COMMENT 'Which opportunities are dismissed, and why. Read it with FINAL';
