-- Frames on their way to the next hop, by position.
--
-- Positions have no gaps and are never given twice: head.last remembers the newest when its row is long gone. odometer is the bytes of
-- all frames of the file up to and including this one, so that how much waits is a subtraction and no pass over the rows. checksum is
-- the frame's CRC-32: pages of a database carry none of their own, and a frame with a flipped bit must not be sent on.

CREATE TABLE frames (
    position INTEGER PRIMARY KEY,
    odometer INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    frame    BLOB NOT NULL
);

-- stream has 64 bits, the highest as the sign.
CREATE TABLE head (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    stream   INTEGER NOT NULL CHECK (stream <> 0),
    last     INTEGER NOT NULL
);
INSERT INTO head VALUES (1, (random() << 1) | 1, 0);

-- Who must have committed a frame before it may go, and how far each is.
CREATE TABLE readers (
    name         TEXT PRIMARY KEY,
    acknowledged INTEGER NOT NULL
) WITHOUT ROWID;
