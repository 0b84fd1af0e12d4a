-- What each meter would have cost at list prices, where negotiated prices apply: reports by meter had only the sum.

ALTER TABLE ledger ADD COLUMN IF NOT EXISTS list_parts Map(String, Decimal(38, 12))
    COMMENT 'Meter to USD at list prices; sums to list_cost. Empty: the same as cost_parts' AFTER list_cost;
