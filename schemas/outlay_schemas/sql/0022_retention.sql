-- How long is kept what. A window is computed from the next finer one, so that none may be kept for a shorter time
-- than what is still accepted: OUTLAY_AGGREGATOR_RETENTION_DAYS, 1130 (37 months) at most. Whole months go at once.

ALTER TABLE ledger MODIFY SETTING ttl_only_drop_parts = 1;

ALTER TABLE ledger MODIFY TTL minute + INTERVAL 1162 DAY;

ALTER TABLE rollup_minute MODIFY SETTING ttl_only_drop_parts = 1;

ALTER TABLE rollup_minute MODIFY TTL window + INTERVAL 1162 DAY;

ALTER TABLE rollup_hour MODIFY SETTING ttl_only_drop_parts = 1;

ALTER TABLE rollup_hour MODIFY TTL window + INTERVAL 1162 DAY;

ALTER TABLE dead_letters MODIFY TTL toDateTime(at) + INTERVAL 180 DAY;

ALTER TABLE conflicts MODIFY TTL toDateTime(time) + INTERVAL 1162 DAY;
