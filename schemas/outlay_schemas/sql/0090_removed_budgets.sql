-- A budget that is no longer in the catalog is not shown: its row says so.

ALTER TABLE budget_status
    MODIFY COLUMN standing LowCardinality(String) COMMENT 'ok, warning, over, or removed: it is no longer in the catalog';
