-- Whether this file still lacks what the other store holds. A file that holds nothing was made anew, at the first start or because
-- the one before it was damaged: then it says 1 until the other store's rows have been copied to it.
--
-- made_at, the second in which the file came to be (or got this column): with it a row without an identity gets one in a copy that no
-- row of another file has.

ALTER TABLE totals ADD COLUMN needs_refill INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN made_at INTEGER NOT NULL DEFAULT 0;

UPDATE totals
SET needs_refill = sensor_events + congestion_records + semaphore_changes + priority_actions = 0,
    made_at = CAST(strftime('%s', 'now') AS INTEGER);
