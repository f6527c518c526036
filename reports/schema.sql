-- The database of runs: what `dyno replay --db runs.db` leaves behind.  One file holds any number
-- of runs, and any question about them is a query; `dyno runs runs.db` lists them.
--
--   run ──┬── run_option       every option, its value, and where the value came from
--         ├── run_metric       the JSON summary, one row a number      (docs/metrics.md)
--         ├── request          one row a request: every stamp, and the parts of its life
--         ├── sample           every worker, looked at every so often
--         ├── decision ─────── decision_candidate     only with --decisions
--         ├── plan             every look of the planner, and what it decided
--         ├── fault            everything that went wrong, and whom it hit
--         ├── tier             every tier of KV below the GPUs' memory
--         ├── tier_sample      every worker's pools of those, with its samples
--         ├── model            what the fleet serves, where that is several models
--         ├── transfer         what requests waited for of KV on its way: a view
--         ├── link             every link over which KV moved, and what it carried
--         ├── link_sample      the same, of the time since the last samples
--         ├── gpu_sample       with the samples: what the driver told of GPUs that compute
--         ├── host             the machine's part: clocks, memory, names
--         ├── run_tag          names that somebody gave it
--         ├── trial            what it was to `dyno tune`, of the table tuning
--         └── validation       two runs of the same requests, one real, one simulated
--
-- Time.  Columns in _ns are whole nanoseconds of simulated time since the start of the run; NULL
-- means that the request never came so far.  Nothing here but the table `host`, and gpu_sample of
-- runs that are no simulation, depends on the machine or on the hour: the same inputs and seed give
-- the same rows, byte for byte.
--
-- Space.  The big tables are keyed by (run, ...) and have no row number of their own (WITHOUT
-- ROWID): a run's rows lie together, and a request is found without another index.  Parts of a
-- request's life are generated columns: they cost no space and cannot disagree with the stamps.
--
-- To forget a run: `dyno runs delete FILE 3`.

PRAGMA application_id = 1685679727; -- "dyno" in ASCII
PRAGMA user_version = 10;           -- the schema's version; a dyno refuses one that is newer

CREATE TABLE run (
    id      INTEGER PRIMARY KEY,
    title   TEXT NOT NULL, -- "llama-3.1-8b on 8 x h100, vllm, kv router"
    command TEXT NOT NULL, -- what repeats it
    status  TEXT NOT NULL DEFAULT 'running'
            CHECK (status IN ('running',       -- or killed: it never came to its end
                              'finished',
                              'interrupted',   -- cut short: by Ctrl-C, or at its longest duration
                              'failed'))       -- ended by an error
);

CREATE TABLE run_option (
    run    INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    name   TEXT NOT NULL, -- "kv.block_tokens"
    value  TEXT,          -- as `dyno replay --print-scenario` shows it
    origin TEXT,          -- default, engine profile, file, --set, flag
    PRIMARY KEY (run, name)
) WITHOUT ROWID;

-- The summary of a run that was finished or interrupted: the numbers of the JSON summary, the keys
-- joined by a dot ("ttft_ms.p99").  NULL: undefined, such as a percentile of nothing.
CREATE TABLE run_metric (
    run    INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    metric TEXT NOT NULL,
    value  REAL,
    PRIMARY KEY (run, metric)
) WITHOUT ROWID;

-- How a request may end.
CREATE TABLE outcome (
    code INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    help TEXT NOT NULL
);
INSERT INTO outcome (code, name, help) VALUES
    (0, 'completed',                'every token came'),
    (1, 'rejected_prompt_too_long', 'more KV blocks than a worker has, or past the context'),
    (2, 'rejected_queue_full',      'the worker''s queue was at its limit'),
    (3, 'cancelled_by_client',      'the client went away'),
    (4, 'cancelled_at_end',         'in flight when the run was interrupted'),
    (5, 'failed',                   'its worker was lost');

--   scheduled <= arrival <= ready <= admitted <= first token <= last token
CREATE TABLE request (
    run             INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    id              INTEGER NOT NULL, -- 0, 1, 2, ... in the order of the source
    outcome         INTEGER NOT NULL REFERENCES outcome,
    worker          INTEGER,          -- NULL: never routed
    session         INTEGER,          -- an identity, 64 bits, may look negative; NULL: none
    tenant          INTEGER,          -- NULL: none
    prompt_tokens   INTEGER NOT NULL,
    output_tokens   INTEGER NOT NULL, -- generated
    cached_tokens   INTEGER NOT NULL, -- of the prompt, found in cache when first admitted
    preemptions     INTEGER NOT NULL, -- times it was put back and computed again
    scheduled_ns    INTEGER,          -- when the client wanted to send it
    arrival_ns      INTEGER,          -- when it was sent: latency counts from here
    ready_ns        INTEGER,          -- ingested: it may be scheduled
    admitted_ns     INTEGER,          -- first given KV blocks
    first_token_ns  INTEGER,
    last_token_ns   INTEGER,
    client_wait_ns  INTEGER AS (arrival_ns - scheduled_ns),     -- outside e2e
    ingest_ns       INTEGER AS (ready_ns - arrival_ns),         -- e2e = ingest (see version 5)
    queue_ns        INTEGER AS (admitted_ns - ready_ns),        --     + queue (see version 6)
    prefill_ns      INTEGER AS (first_token_ns - admitted_ns),  --     + prefill
    decode_ns       INTEGER AS (last_token_ns - first_token_ns),--     + decode (see version 4)
    ttft_ns         INTEGER AS (first_token_ns - arrival_ns),
    e2e_ns          INTEGER AS (last_token_ns - arrival_ns),
    PRIMARY KEY (run, id)
) WITHOUT ROWID;

-- A worker at an instant.  tokens_out and busy_ns count from the start of the run.
CREATE TABLE sample (
    run          INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    at_ns        INTEGER NOT NULL,
    worker       INTEGER NOT NULL,
    running      INTEGER NOT NULL, -- sequences in the batch
    waiting      INTEGER NOT NULL, -- requests in its queue
    blocks_used  INTEGER NOT NULL, -- KV blocks held by sequences
    blocks_idle  INTEGER NOT NULL, -- cached, held by none
    blocks_total INTEGER NOT NULL,
    tokens_out   INTEGER NOT NULL, -- generated so far
    busy_ns      INTEGER NOT NULL, -- time in passes so far
    PRIMARY KEY (run, at_ns, worker)
) WITHOUT ROWID;

-- What the router chose and what it believed (--decisions).
CREATE TABLE decision (
    run            INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    number         INTEGER NOT NULL, -- 0, 1, 2, ... in the order they were made
    request        INTEGER NOT NULL,
    at_ns          INTEGER NOT NULL,
    worker         INTEGER,          -- chosen; NULL: none could be
    overlap_blocks INTEGER NOT NULL, -- leading prompt blocks believed to be in its cache
    view_age_ns    INTEGER NOT NULL, -- what was believed may miss what happened this recently
    PRIMARY KEY (run, number)
) WITHOUT ROWID;

CREATE TABLE decision_candidate (
    run    INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    number INTEGER NOT NULL, -- of the decision
    worker INTEGER NOT NULL,
    score  REAL,             -- lower is better; NULL: the policy does not score
    PRIMARY KEY (run, number, worker)
) WITHOUT ROWID;

-- The only table that may differ between two runs of the same inputs.
CREATE TABLE host (
    run                 INTEGER PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    started_at          TEXT NOT NULL, -- UTC, ISO 8601
    ended_at            TEXT,          -- NULL: it never came to its end
    machine             TEXT,
    process             INTEGER,
    wall_s              REAL,
    requests_per_wall_s REAL,
    peak_rss_bytes      INTEGER
);

-- How the requests of a run ended.
CREATE VIEW run_outcome AS
SELECT r.run, o.name AS outcome, count(*) AS requests
FROM request AS r JOIN outcome AS o ON o.code = r.outcome
GROUP BY r.run, o.code;

-- Samples as rates and shares, each over the time since the worker's last sample.
CREATE VIEW sample_rate AS
SELECT run, at_ns / 1e9 AS at_s, worker, running, waiting,
       1.0 * blocks_used / nullif(blocks_total, 0) AS kv_use,
       1.0 * (busy_ns - lag(busy_ns) OVER past) / (at_ns - lag(at_ns) OVER past) AS busy_fraction,
       1e9 * (tokens_out - lag(tokens_out) OVER past) / (at_ns - lag(at_ns) OVER past)
           AS output_tokens_per_s
FROM sample
WINDOW past AS (PARTITION BY run, worker ORDER BY at_ns);

-- One line a run: what `dyno runs` shows.
CREATE VIEW run_overview AS
SELECT r.id, r.title, r.status, h.started_at,
       coalesce((SELECT value FROM run_metric WHERE run = r.id AND metric = 'trace.requests'),
                (SELECT count(*) FROM request WHERE run = r.id)) AS requests, -- so far
       (SELECT value FROM run_metric WHERE run = r.id AND metric = 'ttft_ms.p50') AS ttft_ms_p50,
       (SELECT value FROM run_metric WHERE run = r.id AND metric = 'ttft_ms.p99') AS ttft_ms_p99,
       (SELECT value FROM run_metric WHERE run = r.id AND metric = 'tpot_ms.p50') AS tpot_ms_p50,
       (SELECT value FROM run_metric WHERE run = r.id AND metric = 'throughput.requests_per_s')
           AS requests_per_s,
       (SELECT value FROM run_metric WHERE run = r.id AND metric = 'kv.token_hit_rate')
           AS token_hit_rate,
       r.command
FROM run AS r LEFT JOIN host AS h ON h.run = r.id;

-- Since version 2

-- `dyno validate`: the same requests, run for real and simulated.
CREATE TABLE validation (
    live      INTEGER PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    simulated INTEGER NOT NULL REFERENCES run ON DELETE CASCADE
);

-- Since version 3

-- A tick of the planner (docs/planner.md): what it saw, and how many workers it wanted.
CREATE TABLE plan (
    run           INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    at_ns         INTEGER NOT NULL,
    before        INTEGER NOT NULL, -- workers that were wanted
    asked         INTEGER NOT NULL, -- that the policy asked for, within the limits
    desired       INTEGER NOT NULL, -- that are wanted from now on
    reason        TEXT NOT NULL,    -- held, up, down, cooling, waiting, blind
    ready         INTEGER NOT NULL, -- workers in each state
    starting      INTEGER NOT NULL,
    draining      INTEGER NOT NULL,
    heard         INTEGER NOT NULL, -- ready ones whose metrics came
    running       INTEGER NOT NULL, -- requests on those ...
    waiting       INTEGER NOT NULL, -- ... in their queues ...
    lobby         INTEGER NOT NULL, -- ... and of those that wait for any worker
    rate          REAL NOT NULL,    -- requests per second since the last tick
    forecast_rate REAL NOT NULL,    -- when a worker started now would be ready
    PRIMARY KEY (run, at_ns)
) WITHOUT ROWID;

-- Since version 4: prompts that another worker computed; decode_ns is without the transfer.
DROP VIEW IF EXISTS validation_error;
DROP VIEW IF EXISTS request_latency;
ALTER TABLE request DROP COLUMN decode_ns;
ALTER TABLE request ADD COLUMN prefill_worker INTEGER; -- NULL: the one that decoded
ALTER TABLE request ADD COLUMN transfer_ns    INTEGER NOT NULL DEFAULT 0; -- of its KV; e2e = ...
ALTER TABLE request ADD COLUMN decode_ns      INTEGER -- ... + prefill + transfer + decode
    AS (last_token_ns - first_token_ns - transfer_ns);

-- Since version 5: requests that waited until a worker might take them (docs/admission.md); that is
-- part of queue_ns, and ingest_ns is without it.
DROP VIEW IF EXISTS validation_error;
DROP VIEW IF EXISTS request_latency;
DROP VIEW IF EXISTS worker_load;
ALTER TABLE request DROP COLUMN ingest_ns;
ALTER TABLE request DROP COLUMN queue_ns;
ALTER TABLE request ADD COLUMN priority INTEGER NOT NULL DEFAULT 0; -- lower is earlier
ALTER TABLE request ADD COLUMN held_ns  INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request ADD COLUMN ingest_ns INTEGER AS (ready_ns - arrival_ns - held_ns);
ALTER TABLE request ADD COLUMN queue_ns  INTEGER AS (held_ns + admitted_ns - ready_ns);
ALTER TABLE decision ADD COLUMN router INTEGER NOT NULL DEFAULT 0; -- whose it was, of several
INSERT INTO outcome (code, name, help) VALUES
    (6, 'rejected_queue_timeout', 'all workers were busy, or none was ready, for too long');

-- How the load fell on the workers.
CREATE VIEW worker_load AS
SELECT run, worker, count(*) AS requests, sum(prompt_tokens) AS prompt_tokens,
       sum(cached_tokens) AS cached_tokens, sum(output_tokens) AS output_tokens,
       sum(preemptions) AS preemptions,
       avg(queue_ns) / 1e6 AS queue_ms_mean, avg(ttft_ns) / 1e6 AS ttft_ms_mean
FROM request WHERE worker IS NOT NULL
GROUP BY run, worker;

-- How tenants fared; tenant NULL: those without one.
CREATE VIEW tenant_load AS
SELECT r.run, r.tenant, count(*) AS requests, sum(r.outcome = 0) AS completed,
       sum(o.name LIKE 'rejected%') AS rejected, sum(r.prompt_tokens) AS prompt_tokens,
       sum(r.output_tokens) AS output_tokens, avg(r.queue_ns) / 1e6 AS queue_ms_mean,
       avg(r.ttft_ns) / 1e6 AS ttft_ms_mean
FROM request AS r JOIN outcome AS o ON o.code = r.outcome
GROUP BY r.run, r.tenant;

-- The same of priorities.
CREATE VIEW priority_load AS
SELECT r.run, r.priority, count(*) AS requests, sum(r.outcome = 0) AS completed,
       sum(o.name LIKE 'rejected%') AS rejected, sum(r.prompt_tokens) AS prompt_tokens,
       sum(r.output_tokens) AS output_tokens, avg(r.queue_ns) / 1e6 AS queue_ms_mean,
       avg(r.ttft_ns) / 1e6 AS ttft_ms_mean
FROM request AS r JOIN outcome AS o ON o.code = r.outcome
GROUP BY r.run, r.priority;

-- Requests in the units people speak: milliseconds, and outcomes by name.
CREATE VIEW request_latency AS
SELECT r.run, r.id, o.name AS outcome, r.worker, r.prefill_worker, r.session, r.tenant,
       r.priority, r.prompt_tokens, r.output_tokens, r.cached_tokens, r.preemptions,
       r.arrival_ns / 1e9 AS arrival_s,
       r.client_wait_ns / 1e6 AS client_wait_ms,
       r.ttft_ns / 1e6 AS ttft_ms,
       CASE WHEN r.output_tokens > 1
            THEN (r.last_token_ns - r.first_token_ns) / 1e6 / (r.output_tokens - 1) END AS tpot_ms,
       r.e2e_ns / 1e6 AS e2e_ms,
       r.ingest_ns / 1e6 AS ingest_ms,
       r.held_ns / 1e6 AS held_ms, -- of queue_ms
       r.queue_ns / 1e6 AS queue_ms,
       r.prefill_ns / 1e6 AS prefill_ms,
       r.transfer_ns / 1e6 AS transfer_ms,
       r.decode_ns / 1e6 AS decode_ms
FROM request AS r JOIN outcome AS o ON o.code = r.outcome;

-- How far the simulation was from the real run, request by request: simulated / real - 1.
CREATE VIEW validation_error AS
SELECT v.live, v.simulated, r.id,
       r.ttft_ms AS live_ttft_ms, s.ttft_ms AS simulated_ttft_ms,
       s.ttft_ms / nullif(r.ttft_ms, 0) - 1 AS ttft_error,
       r.tpot_ms AS live_tpot_ms, s.tpot_ms AS simulated_tpot_ms,
       s.tpot_ms / nullif(r.tpot_ms, 0) - 1 AS tpot_error,
       r.e2e_ms AS live_e2e_ms, s.e2e_ms AS simulated_e2e_ms,
       s.e2e_ms / nullif(r.e2e_ms, 0) - 1 AS e2e_error
FROM validation AS v
JOIN request_latency AS r ON r.run = v.live
JOIN request_latency AS s ON s.run = v.simulated AND s.id = r.id;

-- Names that somebody gave to runs, to choose them by: `dyno runs tag`.
CREATE TABLE run_tag (
    run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (run, tag)
) WITHOUT ROWID;

-- Since version 6: tiers of KV below the GPUs' memory; queue_ns is without the wait for them.
DROP VIEW IF EXISTS validation_error;
DROP VIEW IF EXISTS request_latency;
DROP VIEW IF EXISTS worker_load;
DROP VIEW IF EXISTS tenant_load;
DROP VIEW IF EXISTS priority_load;
ALTER TABLE request DROP COLUMN queue_ns;
ALTER TABLE request ADD COLUMN onboarded_tokens INTEGER NOT NULL DEFAULT 0; -- of cached_tokens
ALTER TABLE request ADD COLUMN onboard_ns       INTEGER NOT NULL DEFAULT 0; -- e2e = ingest + queue
ALTER TABLE request ADD COLUMN queue_ns         INTEGER -- + onboard + prefill + transfer + decode
    AS (held_ns + admitted_ns - ready_ns - onboard_ns);

-- A tier at the end of a run: of all its pools (docs/tiers.md).
CREATE TABLE tier (
    run             INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    level           INTEGER NOT NULL, -- 2: host memory, 3: NVMe, 4: a store; 1: what came from the
                                      -- GPUs of other workers (loads and hits alone)
    pools           INTEGER NOT NULL,
    blocks_total    INTEGER NOT NULL,
    blocks_kept     INTEGER NOT NULL,
    hit_blocks      INTEGER NOT NULL, -- of prompts at their first admission
    stores          INTEGER NOT NULL, -- transfers into it ...
    stored_blocks   INTEGER NOT NULL, -- ... of so many blocks ...
    store_wait_ns   INTEGER NOT NULL, -- ... that took so long, summed
    loads           INTEGER NOT NULL, -- transfers out of it, likewise
    loaded_blocks   INTEGER NOT NULL,
    load_wait_ns    INTEGER NOT NULL,
    evicted_blocks  INTEGER NOT NULL,
    skipped_blocks  INTEGER NOT NULL, -- not stored: there was no room
    declined_blocks INTEGER NOT NULL, -- not stored: the policy did not want them
    slow_blocks     INTEGER NOT NULL, -- there, but computed again because that was faster
    block_bytes     INTEGER NOT NULL,
    PRIMARY KEY (run, level)
) WITHOUT ROWID;

-- With every sample: the pool of each tier that the worker uses, which others may use too.
CREATE TABLE tier_sample (
    run           INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    at_ns         INTEGER NOT NULL,
    worker        INTEGER NOT NULL,
    level         INTEGER NOT NULL,
    blocks_moving INTEGER NOT NULL, -- held by transfers
    blocks_kept   INTEGER NOT NULL,
    blocks_total  INTEGER NOT NULL,
    PRIMARY KEY (run, at_ns, worker, level)
) WITHOUT ROWID;

CREATE VIEW worker_load AS
SELECT run, worker, count(*) AS requests, sum(prompt_tokens) AS prompt_tokens,
       sum(cached_tokens) AS cached_tokens, sum(onboarded_tokens) AS onboarded_tokens,
       sum(output_tokens) AS output_tokens, sum(preemptions) AS preemptions,
       avg(queue_ns) / 1e6 AS queue_ms_mean, avg(ttft_ns) / 1e6 AS ttft_ms_mean
FROM request WHERE worker IS NOT NULL
GROUP BY run, worker;

-- How tenants fared; tenant NULL: those without one.
CREATE VIEW tenant_load AS
SELECT r.run, r.tenant, count(*) AS requests, sum(r.outcome = 0) AS completed,
       sum(o.name LIKE 'rejected%') AS rejected, sum(r.prompt_tokens) AS prompt_tokens,
       sum(r.output_tokens) AS output_tokens, avg(r.queue_ns) / 1e6 AS queue_ms_mean,
       avg(r.ttft_ns) / 1e6 AS ttft_ms_mean
FROM request AS r JOIN outcome AS o ON o.code = r.outcome
GROUP BY r.run, r.tenant;

-- The same of priorities.
CREATE VIEW priority_load AS
SELECT r.run, r.priority, count(*) AS requests, sum(r.outcome = 0) AS completed,
       sum(o.name LIKE 'rejected%') AS rejected, sum(r.prompt_tokens) AS prompt_tokens,
       sum(r.output_tokens) AS output_tokens, avg(r.queue_ns) / 1e6 AS queue_ms_mean,
       avg(r.ttft_ns) / 1e6 AS ttft_ms_mean
FROM request AS r JOIN outcome AS o ON o.code = r.outcome
GROUP BY r.run, r.priority;

-- Requests in the units people speak: milliseconds, and outcomes by name.
CREATE VIEW request_latency AS
SELECT r.run, r.id, o.name AS outcome, r.worker, r.prefill_worker, r.session, r.tenant,
       r.priority, r.prompt_tokens, r.output_tokens, r.cached_tokens,
       r.onboarded_tokens, r.preemptions,
       r.arrival_ns / 1e9 AS arrival_s,
       r.client_wait_ns / 1e6 AS client_wait_ms,
       r.ttft_ns / 1e6 AS ttft_ms,
       CASE WHEN r.output_tokens > 1
            THEN (r.last_token_ns - r.first_token_ns) / 1e6 / (r.output_tokens - 1) END AS tpot_ms,
       r.e2e_ns / 1e6 AS e2e_ms,
       r.ingest_ns / 1e6 AS ingest_ms,
       r.held_ns / 1e6 AS held_ms, -- of queue_ms
       r.queue_ns / 1e6 AS queue_ms,
       r.onboard_ns / 1e6 AS onboard_ms,
       r.prefill_ns / 1e6 AS prefill_ms,
       r.transfer_ns / 1e6 AS transfer_ms,
       r.decode_ns / 1e6 AS decode_ms
FROM request AS r JOIN outcome AS o ON o.code = r.outcome;

-- How far the simulation was from the real run, request by request: simulated / real - 1.
CREATE VIEW validation_error AS
SELECT v.live, v.simulated, r.id,
       r.ttft_ms AS live_ttft_ms, s.ttft_ms AS simulated_ttft_ms,
       s.ttft_ms / nullif(r.ttft_ms, 0) - 1 AS ttft_error,
       r.tpot_ms AS live_tpot_ms, s.tpot_ms AS simulated_tpot_ms,
       s.tpot_ms / nullif(r.tpot_ms, 0) - 1 AS tpot_error,
       r.e2e_ms AS live_e2e_ms, s.e2e_ms AS simulated_e2e_ms,
       s.e2e_ms / nullif(r.e2e_ms, 0) - 1 AS e2e_error
FROM validation AS v
JOIN request_latency AS r ON r.run = v.live
JOIN request_latency AS s ON s.run = v.simulated AND s.id = r.id;

-- Since version 7: `dyno tune`, whose trials are runs.

-- What the trials of this database have in common; one tuning at most.
CREATE TABLE tuning (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    varied TEXT NOT NULL, -- options, with blanks between their names
    trace  TEXT           -- what its bytes are: size and a hash; NULL: there is none
);
CREATE TABLE tuning_option (
    name  TEXT PRIMARY KEY, -- not varied, not of the output
    value TEXT
) WITHOUT ROWID;

-- What the last `dyno tune` over it asked for: goals (sign 1: more is better, -1: less), and limits
-- (sign -1: at most `bound`, 1: at least).
CREATE TABLE tuning_aim (
    place  INTEGER PRIMARY KEY,
    metric TEXT NOT NULL, -- as in run_metric
    sign   INTEGER NOT NULL,
    bound  REAL           -- NULL: a goal
);

CREATE TABLE trial (
    run      INTEGER PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    settings TEXT NOT NULL UNIQUE, -- what it sets, the requests and the seed: who finds it need not
                                   -- run it again
    point    INTEGER,              -- 0: the scenario as given; 1, 2, ...: as the last search asked
                                   -- for them; NULL: it did not
    part     TEXT NOT NULL CHECK (part IN ('tuned', 'held out')),
    share    REAL NOT NULL         -- of the part's requests, 0 ... 1
);

-- The trials of the last search with their goals; those that keep to every limit, on all of the
-- requests that are tuned on, are good.
CREATE VIEW trial_goal AS
SELECT t.run, t.point, t.settings, t.part, t.share, a.place, a.metric, a.sign, m.value,
       t.share = 1 AND NOT EXISTS (
           SELECT 1 FROM tuning_aim AS l
           LEFT JOIN run_metric AS v ON v.run = t.run AND v.metric = l.metric
           WHERE l.bound IS NOT NULL AND (v.value IS NULL OR l.sign * (v.value - l.bound) < 0)
       ) AS is_good
FROM trial AS t
JOIN run AS r ON r.id = t.run AND r.status = 'finished'
JOIN tuning_aim AS a ON a.bound IS NULL
LEFT JOIN run_metric AS m ON m.run = t.run AND m.metric = a.metric
WHERE t.point IS NOT NULL;

-- Since version 8: the planner's ticks by role, where some workers compute prompts and others
-- decode.
ALTER TABLE plan RENAME TO plan_of_one_role;
CREATE TABLE plan (
    run           INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    at_ns         INTEGER NOT NULL,
    role          TEXT NOT NULL,    -- serve: all there are; or decode, prefill: a row of each
    before        INTEGER NOT NULL, -- workers of the role that were wanted
    asked         INTEGER NOT NULL, -- that the policy asked for, within the limits
    desired       INTEGER NOT NULL, -- that are wanted from now on
    reason        TEXT NOT NULL,    -- held, up, down, cooling, waiting, blind, budget
    ready         INTEGER NOT NULL, -- workers in each state
    starting      INTEGER NOT NULL,
    draining      INTEGER NOT NULL,
    coming        INTEGER NOT NULL, -- that drain in the other role, to change it to this one
    heard         INTEGER NOT NULL, -- ready ones whose metrics came
    running       INTEGER NOT NULL, -- requests on those ...
    waiting       INTEGER NOT NULL, -- ... in their queues ...
    lobby         INTEGER NOT NULL, -- ... and of those that wait for any worker
    rate          REAL NOT NULL,    -- requests per second since the last tick
    forecast_rate REAL NOT NULL,    -- when a worker started now would be ready
    PRIMARY KEY (run, at_ns, role)
) WITHOUT ROWID;
INSERT INTO plan SELECT run, at_ns, 'serve', before, asked, desired, reason, ready, starting,
                        draining, 0, heard, running, waiting, lobby, rate, forecast_rate
                 FROM plan_of_one_role;
DROP TABLE plan_of_one_role;

-- And what goes wrong (docs/faults.md).
ALTER TABLE request ADD COLUMN migrations INTEGER NOT NULL DEFAULT 0; -- workers lost with it, from
                                                                      -- which it went on elsewhere
CREATE TABLE fault (
    run      INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    number   INTEGER NOT NULL, -- 0, 1, 2, ... in the order in which they began
    at_ns    INTEGER NOT NULL,
    until_ns INTEGER,          -- NULL: for good; of a death: when its place is mended
    kind     TEXT NOT NULL CHECK (kind IN ('death', 'stall', 'link')),
    what     TEXT NOT NULL,    -- that it hit: worker, nic, ..., the name of a switch
    target   INTEGER NOT NULL, -- which of them
    slowness INTEGER NOT NULL, -- so many times slower; 0: nothing moves
    requests INTEGER NOT NULL, -- that were with a worker that died
    PRIMARY KEY (run, number)
) WITHOUT ROWID;

-- Since version 9: what tiers lost ...
ALTER TABLE tier ADD COLUMN lost_blocks INTEGER NOT NULL DEFAULT 0; -- not read, not written, or not
                                                                    -- what was stored
-- ... what came from other workers' GPUs (of which tier has a row, too) ...
ALTER TABLE request ADD COLUMN pulled_tokens INTEGER NOT NULL DEFAULT 0; -- of onboarded_tokens
-- ... and what links carried (docs/links.md): of each direction, those that carried something.
CREATE TABLE link (
    run              INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    number           INTEGER NOT NULL,
    name             TEXT NOT NULL,    -- "nic 3 out", "switch rack0 up"
    bytes_per_s      INTEGER NOT NULL, -- that it can carry ...
    bytes            INTEGER NOT NULL, -- ... and did
    busy_ns          INTEGER NOT NULL, -- time in which something was on it
    peak_bytes_per_s INTEGER NOT NULL, -- the most between two samples; 0: there were none
    PRIMARY KEY (run, number)
) WITHOUT ROWID;

-- With the samples: links that carried something since the last ones.
CREATE TABLE link_sample (
    run      INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    at_ns    INTEGER NOT NULL,
    link     INTEGER NOT NULL, -- its number
    since_ns INTEGER NOT NULL, -- from then on ...
    bytes    INTEGER NOT NULL, -- ... it carried so many ...
    busy_ns  INTEGER NOT NULL, -- ... in so much time
    PRIMARY KEY (run, at_ns, link)
) WITHOUT ROWID;

-- Those as shares: of what the link could have carried, and of the time.
CREATE VIEW link_use AS
SELECT s.run, s.at_ns / 1e9 AS at_s, l.number, l.name,
       1e9 * s.bytes / (s.at_ns - s.since_ns) / l.bytes_per_s AS use,
       1.0 * s.busy_ns / (s.at_ns - s.since_ns) AS busy_fraction
FROM link_sample AS s JOIN link AS l ON l.run = s.run AND l.number = s.link;

-- Since version 9, too: several models behind one budget (docs/several-models.md), by their
-- numbers; where there is one it is 0, and there are no rows.
CREATE TABLE model (
    run     INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    name    TEXT NOT NULL, -- by which requests ask for it
    model   TEXT NOT NULL, -- what it is ...
    gpu     TEXT NOT NULL, -- ... and on what
    workers INTEGER NOT NULL, -- its places, which follow those of the models before it ...
    gpus    INTEGER NOT NULL, -- ... and all their GPUs
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
ALTER TABLE request ADD COLUMN model INTEGER NOT NULL DEFAULT 0; -- that it asked for

ALTER TABLE plan RENAME TO plan_of_one_model;
CREATE TABLE plan (
    run           INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    at_ns         INTEGER NOT NULL,
    role          TEXT NOT NULL,    -- serve: all there are; or decode, prefill: a row of each
    model         INTEGER NOT NULL, -- whose workers they are: a row of each
    before        INTEGER NOT NULL, -- workers of the role that were wanted
    asked         INTEGER NOT NULL, -- that the policy asked for, within the limits
    desired       INTEGER NOT NULL, -- that are wanted from now on
    reason        TEXT NOT NULL,    -- held, up, down, cooling, waiting, blind, budget
    ready         INTEGER NOT NULL, -- workers in each state
    starting      INTEGER NOT NULL,
    draining      INTEGER NOT NULL,
    coming        INTEGER NOT NULL, -- that drain in the other role, to change it to this one
    heard         INTEGER NOT NULL, -- ready ones whose metrics came
    running       INTEGER NOT NULL, -- requests on those ...
    waiting       INTEGER NOT NULL, -- ... in their queues ...
    lobby         INTEGER NOT NULL, -- ... and of those that wait for any worker
    rate          REAL NOT NULL,    -- requests per second since the last tick
    forecast_rate REAL NOT NULL,    -- when a worker started now would be ready
    PRIMARY KEY (run, at_ns, role, model)
) WITHOUT ROWID;
INSERT INTO plan SELECT run, at_ns, role, 0, before, asked, desired, reason, ready, starting,
                        draining, coming, heard, running, waiting, lobby, rate, forecast_rate
                 FROM plan_of_one_model;
DROP TABLE plan_of_one_model;

-- How the models fared.
CREATE VIEW model_load AS
SELECT r.run, r.model, m.name, count(*) AS requests, sum(r.outcome = 0) AS completed,
       sum(o.name LIKE 'rejected%') AS rejected, sum(r.prompt_tokens) AS prompt_tokens,
       sum(r.output_tokens) AS output_tokens, avg(r.queue_ns) / 1e6 AS queue_ms_mean,
       avg(r.ttft_ns) / 1e6 AS ttft_ms_mean
FROM request AS r JOIN outcome AS o ON o.code = r.outcome
LEFT JOIN model AS m ON m.run = r.run AND m.number = r.model
GROUP BY r.run, r.model;

-- What requests waited for of KV on its way, a row each (docs/disaggregation.md, docs/tiers.md);
-- what tiers stored and gave back in all, is in their rows.
CREATE VIEW transfer AS
SELECT run, id AS request, 'handoff' AS kind, prefill_worker AS from_worker, worker AS to_worker,
       prompt_tokens AS tokens, first_token_ns AS began_ns, transfer_ns AS wait_ns
FROM request WHERE transfer_ns > 0
UNION ALL -- from tiers below, or other workers' GPUs, to whom computed the prompt
SELECT run, id, CASE WHEN pulled_tokens > 0 THEN 'pull' ELSE 'onboard' END, NULL,
       coalesce(prefill_worker, worker), onboarded_tokens, NULL, onboard_ns
FROM request WHERE onboarded_tokens > 0;

-- Since version 10: GPUs that compute, with the samples: what their driver said last.  NULL: it
-- does not say.
CREATE TABLE gpu_sample (
    run                 INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    at_ns               INTEGER NOT NULL,
    gpu                 INTEGER NOT NULL, -- as nvidia-smi numbers those of the machine
    busy                REAL,    -- share of the driver's last period in which a kernel ran ...
    memory_busy         REAL,    -- ... in which memory was read or written
    memory_used_bytes   INTEGER,
    power_watts         REAL,
    energy_joules       REAL,    -- since the driver was loaded
    sm_clock_mhz        REAL,
    memory_clock_mhz    REAL,
    temperature_celsius REAL,
    throttles           TEXT,    -- why clocks are held down (docs/telemetry.md): "power_cap", ""
    ecc_corrected       INTEGER, -- errors of memory since the driver was loaded: mended ...
    ecc_uncorrected     INTEGER, -- ... and not
    PRIMARY KEY (run, at_ns, gpu)
) WITHOUT ROWID;
