-- What a summary asks for, kept up to date in the transaction that changes the rows: counting ten million of them takes seconds.
--
-- event_set is the sum of the hashes of all sensor events' identities, modulo 2^64 (record_hash(), event_set()): two stores with the same
-- number of events and the same sum hold the same events, in whatever order they came. committed_us is created_us of
-- the last commit, also of one without records.

CREATE TABLE totals (
    only_row              INTEGER PRIMARY KEY CHECK (only_row = 1),
    sensor_events         INTEGER NOT NULL,
    congestion_detections INTEGER NOT NULL,
    green_waves           INTEGER NOT NULL,
    semaphore_changes     INTEGER NOT NULL,
    priority_actions      INTEGER NOT NULL,
    congestion_records    INTEGER NOT NULL,
    event_set             INTEGER NOT NULL,
    committed_us          INTEGER NOT NULL
);

INSERT INTO totals
SELECT 1,
       (SELECT count(*) FROM sensor_events),
       (SELECT count(*) FROM congestion_history WHERE traffic_state = 'CONGESTION'),
       (SELECT count(*) FROM priority_actions WHERE instr(action_type, 'GREEN_WAVE') > 0),
       (SELECT count(*) FROM semaphore_states),
       (SELECT count(*) FROM priority_actions),
       (SELECT count(*) FROM congestion_history),
       (SELECT event_set(record_hash(producer_id, epoch, seq, sensor_id, tipo_sensor, interseccion, timestamp, event_data))
        FROM sensor_events),
       (SELECT coalesce(max(created_us), 0)
        FROM (SELECT created_us FROM sensor_events
              UNION ALL SELECT created_us FROM congestion_history
              UNION ALL SELECT created_us FROM semaphore_states
              UNION ALL SELECT created_us FROM priority_actions));
