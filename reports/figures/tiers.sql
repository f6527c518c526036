-- title: Where prompts were found
-- caption: Of whole prompt blocks: in the worker's own GPU, in another one's, and in each tier
-- caption: below; and what was moved for that.
-- empty: There was nowhere but the workers' own GPUs in these runs (--tier, --peers).
-- order: 118
WITH source AS (
    SELECT d.place, d.label, d.run, 0 AS level FROM detail AS d
    WHERE EXISTS (SELECT 1 FROM tier WHERE run = d.run)
    UNION ALL
    SELECT d.place, d.label, d.run, t.level FROM detail AS d JOIN tier AS t ON t.run = d.run
)
SELECT s.label AS "run",
       CASE s.level WHEN 0 THEN 'g1' WHEN 1 THEN 'peers' ELSE 'g' || s.level END AS "source",
       100.0 * (SELECT value FROM run_metric WHERE run = s.run AND metric = 'kv.tiers.' ||
                CASE s.level WHEN 0 THEN 'g1' WHEN 1 THEN 'peers' ELSE 'g' || s.level END ||
                '.hit_rate') AS "hits, %",
       1e-9 * t.stored_blocks * t.block_bytes AS "in, GB",
       1e-9 * t.loaded_blocks * t.block_bytes AS "out, GB",
       t.load_wait_ns / 1e6 / nullif(t.loads, 0) AS "wait, ms",
       t.evicted_blocks AS "evicted", t.slow_blocks AS "slow", t.lost_blocks AS "lost"
FROM source AS s LEFT JOIN tier AS t ON t.run = s.run AND t.level = s.level
ORDER BY s.place, s.level;
