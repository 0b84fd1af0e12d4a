-- What people keep in the console: views of Explore, and notes on charts.

CREATE TABLE IF NOT EXISTS saved_views
(
    tenant LowCardinality(String) COMMENT 'Tenant whose costs it shows',
    id String COMMENT 'Random; a view that is renamed keeps it',
    name String COMMENT 'What people call it',
    query String COMMENT 'The view: what follows /explore in its address',
    dashboard String COMMENT 'The dashboard that shows it; empty: none',
    shared Bool COMMENT 'Whether everyone in the tenant sees it; otherwise only its owner does',
    owner String COMMENT 'Who saved it: a key or a person, as in the audit log',
    owner_name String COMMENT 'What people call the owner',
    deleted Bool COMMENT 'Whether it was deleted',
    at DateTime64(6, 'UTC') COMMENT 'When it was saved; the newest row counts'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (tenant, id)
COMMENT 'Views of Explore that people saved. Read it with FINAL';

CREATE TABLE IF NOT EXISTS notes
(
    tenant LowCardinality(String) COMMENT 'Tenant on whose charts it is',
    id String COMMENT 'Random',
    at DateTime('UTC') COMMENT 'The time that it is about',
    text String COMMENT 'What happened',
    author String COMMENT 'Who wrote it: a key or a person, as in the audit log',
    author_name String COMMENT 'What people call the author',
    deleted Bool COMMENT 'Whether it was deleted',
    written_at DateTime64(6, 'UTC') COMMENT 'When it was written; the newest row counts'
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (tenant, id)
COMMENT 'Dated notes that people put on charts. Read it with FINAL';
