-- Whose statements a closing has, so that an export can name the statement of a charge.

ALTER TABLE closings ADD COLUMN IF NOT EXISTS unit LowCardinality(String) DEFAULT 'business_unit'
    COMMENT 'The dimension that pays: each of its values has a statement' AFTER zone;
