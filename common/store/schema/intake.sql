-- How far each stream that comes in over a link is committed here: what store/intake-table.h reads and writes.
--
-- It stands in the file that takes the stream's frames, because a cursor and what it speaks of must come and go in one transaction.
-- stream has 64 bits, the highest as the sign.

CREATE TABLE intake (
    link      TEXT NOT NULL,
    stream    INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    committed INTEGER NOT NULL,
    PRIMARY KEY (link, stream)
) WITHOUT ROWID;
