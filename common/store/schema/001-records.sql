-- The four tables of records. Columns carry the members' names on the wire; a member that is left out gets the default here.
--
-- created_at is when the record arrived, for people. created_us is the same in microseconds and never goes backwards from one row
-- to the next, also when the clock does: it orders arrivals. producer_id, epoch and seq are the record's identity:
-- a repetition of it is not stored again. Older peers send none, hence the partial indexes.

CREATE TABLE sensor_events (
    id           INTEGER PRIMARY KEY,
    sensor_id    TEXT NOT NULL,
    tipo_sensor  TEXT NOT NULL,
    interseccion TEXT NOT NULL,
    timestamp    TEXT NOT NULL,
    event_data   TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '{}',
    created_at   TEXT NOT NULL,
    created_us   INTEGER NOT NULL,
    captured_us  INTEGER,
    producer_id  TEXT,
    epoch        INTEGER,
    seq          INTEGER,
    -- vehiculos_contados of a loop's event, where it is a number; a column because sums are asked for
    vehicles     NUMERIC
);
-- The newest events of an intersection, and a time range of it.
CREATE INDEX sensor_events_by_intersection ON sensor_events (interseccion, timestamp);
-- A time range of the whole city, newest first; the rest lets counts and sums be read from the index alone.
CREATE INDEX sensor_events_by_time ON sensor_events (timestamp, id, tipo_sensor, vehicles);
CREATE UNIQUE INDEX sensor_events_identity ON sensor_events (producer_id, epoch, seq) WHERE seq IS NOT NULL;

CREATE TABLE congestion_history (
    id            INTEGER PRIMARY KEY,
    interseccion  TEXT NOT NULL,
    traffic_state TEXT NOT NULL,
    decision      TEXT NOT NULL,
    details       TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    sensor_data   TEXT,
    timestamp     TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    created_us    INTEGER NOT NULL,
    captured_us   INTEGER,
    producer_id   TEXT,
    epoch         INTEGER,
    seq           INTEGER
);
CREATE INDEX congestion_history_by_intersection ON congestion_history (interseccion, timestamp);
CREATE INDEX congestion_history_by_time ON congestion_history (timestamp);
CREATE UNIQUE INDEX congestion_history_identity ON congestion_history (producer_id, epoch, seq) WHERE seq IS NOT NULL;

CREATE TABLE semaphore_states (
    id                 INTEGER PRIMARY KEY,
    interseccion       TEXT NOT NULL,
    state_ns           TEXT NOT NULL,
    state_ew           TEXT NOT NULL,
    reason             TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    cycle_duration_sec NUMERIC NOT NULL ON CONFLICT REPLACE DEFAULT 15,
    timestamp          TEXT NOT NULL,
    created_at         TEXT NOT NULL,
    created_us         INTEGER NOT NULL,
    captured_us        INTEGER,
    producer_id        TEXT,
    epoch              INTEGER,
    seq                INTEGER
);
CREATE INDEX semaphore_states_by_intersection ON semaphore_states (interseccion, timestamp);
CREATE UNIQUE INDEX semaphore_states_identity ON semaphore_states (producer_id, epoch, seq) WHERE seq IS NOT NULL;

CREATE TABLE priority_actions (
    id                     INTEGER PRIMARY KEY,
    action_type            TEXT NOT NULL,
    target                 TEXT NOT NULL,
    reason                 TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '',
    requested_by           TEXT NOT NULL ON CONFLICT REPLACE DEFAULT 'system',
    affected_intersections TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '[]',
    timestamp              TEXT NOT NULL,
    created_at             TEXT NOT NULL,
    created_us             INTEGER NOT NULL,
    captured_us            INTEGER,
    producer_id            TEXT,
    epoch                  INTEGER,
    seq                    INTEGER
);
CREATE UNIQUE INDEX priority_actions_identity ON priority_actions (producer_id, epoch, seq) WHERE seq IS NOT NULL;
