-- What a batch remembers. Times that are compared are of the clock since the machine started (boot, due), never of the calendar.
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS workers (
    id TEXT PRIMARY KEY,
    place TEXT NOT NULL,             -- machine, start of it, and what sees its processes
    pid INTEGER NOT NULL,
    born TEXT NOT NULL,              -- tells a process from a later one of the same number
    beat INTEGER NOT NULL DEFAULT 0, -- goes up while it lives
    gone INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    listed INTEGER NOT NULL DEFAULT 1, -- in the list of the run that came last
    spec TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', -- waiting, running, done, failed
    reason TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT '[]',
    placing TEXT NOT NULL DEFAULT '{}',    -- outputs that are being given their names, and what tells them from others
    frames INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    retries INTEGER NOT NULL DEFAULT 0,
    thumbnails TEXT NOT NULL DEFAULT '',
    started REAL,
    ended REAL
);
CREATE TABLE IF NOT EXISTS tasks (
    job TEXT NOT NULL,               -- of kind share: the content key of what is shared
    kind TEXT NOT NULL,              -- share, open, segment, finish
    number INTEGER NOT NULL DEFAULT 0,
    first INTEGER NOT NULL DEFAULT 0,
    stop INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting', -- waiting, running, done, failed
    owner TEXT,
    epoch INTEGER NOT NULL DEFAULT 0,      -- how often it was handed out: an older holder's word does not count
    attempts INTEGER NOT NULL DEFAULT 0,
    boot TEXT,
    due REAL,                        -- not before
    node TEXT NOT NULL DEFAULT '',   -- of kind share: the node, and a job that has it
    example TEXT NOT NULL DEFAULT '',
    label TEXT NOT NULL DEFAULT '',  -- what its worker is at
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER,
    seconds REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (job, kind, number)
);
CREATE INDEX IF NOT EXISTS tasks_by_state ON tasks (state, kind);
CREATE INDEX IF NOT EXISTS tasks_of_job ON tasks (job, kind, state, number);
CREATE INDEX IF NOT EXISTS tasks_by_owner ON tasks (owner);
CREATE TABLE IF NOT EXISTS needs (job TEXT NOT NULL, share TEXT NOT NULL, PRIMARY KEY (job, share));
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, job TEXT NOT NULL, kind TEXT NOT NULL, part INTEGER NOT NULL, what TEXT NOT NULL, worker TEXT
);
