-- What SQLite's pages do not have: a checksum of each row's content, as row_sum() gives it (store/row-sum.h). A bit that flips inside a
-- row changes what the row says and breaks no rule of the file.
--
-- Rows that were here before have none and cannot be checked; unsummed says how far they go. Else a row whose last column is
-- lost to the same fault would pass for one of them.

ALTER TABLE sensor_events ADD COLUMN checksum INTEGER;
ALTER TABLE congestion_history ADD COLUMN checksum INTEGER;
ALTER TABLE semaphore_states ADD COLUMN checksum INTEGER;
ALTER TABLE priority_actions ADD COLUMN checksum INTEGER;

CREATE TABLE unsummed (
    table_name TEXT PRIMARY KEY,
    last_id    INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO unsummed
SELECT 'sensor_events', coalesce(max(id), 0) FROM sensor_events
UNION ALL SELECT 'congestion_history', coalesce(max(id), 0) FROM congestion_history
UNION ALL SELECT 'semaphore_states', coalesce(max(id), 0) FROM semaphore_states
UNION ALL SELECT 'priority_actions', coalesce(max(id), 0) FROM priority_actions;
