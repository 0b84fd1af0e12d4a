-- An opportunity has a status, an owner and an effort: it is planned and done, not only dismissed.

ALTER TABLE dismissals
    MODIFY COMMENT 'What people decided about opportunities: status, owner and effort. Read it with FINAL',
    ADD COLUMN IF NOT EXISTS status LowCardinality(String) DEFAULT if(dismissed, 'dismissed', 'open') COMMENT 'open, planned, done or dismissed; the newest row counts',
    ADD COLUMN IF NOT EXISTS effort LowCardinality(String) COMMENT 'low, medium or high; empty: not estimated',
    ADD COLUMN IF NOT EXISTS owner String COMMENT 'Who takes care of it; empty: no one yet';
