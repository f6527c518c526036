-- What queries draw from, made of choice(place, run); see reports/run_set.h.

-- Options whose values tell the chosen runs apart.  Where a file lies, or a server, is no option
-- of the fleet.
CREATE TEMP TABLE differing AS
SELECT o.name AS name
FROM choice AS c JOIN main.run_option AS o ON o.run = c.run
WHERE o.name NOT LIKE 'output.%' AND o.name NOT LIKE 'serve.%' AND o.value IS NOT NULL
GROUP BY o.name
HAVING count(DISTINCT o.value) > 1;

-- The same, run by run, in words: 'kv' says enough of a router, but '4' is of workers.
CREATE TEMP TABLE word AS
SELECT o.run AS run, o.name AS name,
       CASE WHEN o.name IN ('router.policy', 'model.name', 'fleet.gpu', 'engine.profile',
                            'planner.policy', 'generate.arrival')
            THEN o.value
            ELSE replace(substr(o.name, instr(o.name, '.') + 1), '_', ' ') || ' ' || o.value
       END AS word
FROM differing AS d JOIN main.run_option AS o ON o.name = d.name
WHERE o.run IN (SELECT run FROM choice) AND o.value IS NOT NULL
ORDER BY o.run, o.name;

-- 'run 3: kv', or 'run 3' where the words would be many; 'run 3: base' where it has a tag.
CREATE TEMP TABLE chosen AS
SELECT c.place AS place, r.id AS run,
       'run ' || r.id || coalesce((SELECT ': ' || substr(min(tag), 1, 26) FROM main.run_tag
                                   WHERE run = r.id HAVING count(*) > 0),
                                  (SELECT ': ' || group_concat(word, ', ') FROM word
                                   WHERE run = r.id HAVING length(group_concat(word, ', ')) <= 26),
                                  '') AS label,
       true_status(r.status, h.machine, h.process, strftime('%s', h.started_at)) AS status,
       r.title AS title
FROM choice AS c JOIN main.run AS r ON r.id = c.run LEFT JOIN main.host AS h ON h.run = r.id
ORDER BY c.place;

CREATE TEMP TABLE detail (place INTEGER PRIMARY KEY, run INTEGER NOT NULL, label TEXT NOT NULL);
INSERT INTO detail
SELECT place, run, label FROM
    (SELECT place, run, label FROM chosen
     WHERE status IN ('finished', 'interrupted') ORDER BY place DESC LIMIT 6)
ORDER BY place;

-- Runs that differ in their load only, or in the size of their fleet only, have the same name here.
CREATE TEMP TABLE family AS
SELECT c.run AS run,
       coalesce((SELECT group_concat(word, ', ') FROM word
                 WHERE run = c.run
                   AND name NOT IN ('generate.arrival', 'trace.speedup', 'trace.concurrency',
                                    'trace.max_concurrency', 'trace.requests', 'generate.duration',
                                    'run.seed')), 'all runs') AS by_load,
       coalesce((SELECT group_concat(word, ', ') FROM word
                 WHERE run = c.run
                   AND name NOT IN ('fleet.workers', 'disagg.prefill', 'disagg.decode',
                                    'run.seed')), 'all runs') AS by_size
FROM choice AS c;

-- Models of the runs in detail that serve several: `series` names one in a figure, of `is_drawn` at
-- most 6; its numbers in run_metric begin with `metrics` (as dyno_summary_model spells it).
CREATE TEMP TABLE fleet_model AS
WITH several AS (
    SELECT d.place, d.run, d.label, m.number, m.name, m.gpus, m.workers,
           m.model || ' on ' || m.gpu AS what,
           (SELECT count(*) FROM detail WHERE run IN (SELECT run FROM main.model)) AS runs
    FROM detail AS d JOIN main.model AS m ON m.run = d.run
)
SELECT place, run, label, number, name, gpus, workers, what,
       CASE runs WHEN 1 THEN '' ELSE label || ', ' END || substr(name, 1, 24) AS series,
       number < 6 / runs AS is_drawn,
       'models.' || (WITH RECURSIVE spelt (length, text) AS (
           SELECT 0, ''
           UNION ALL
           SELECT length + 1,
                  text || iif(CAST(substr(CAST(name AS BLOB), length + 1, 1) AS TEXT)
                                  GLOB '[-0-9A-Za-z]',
                              CAST(substr(CAST(name AS BLOB), length + 1, 1) AS TEXT), '_')
           FROM spelt WHERE length < min(24, length(CAST(name AS BLOB)))
       ) SELECT text FROM spelt ORDER BY length DESC LIMIT 1) || '.' AS metrics
FROM several;

-- Points of the last `dyno tune` on all the requests that are tuned on, with its goals (place 0, 1,
-- ...) as means over the seeds; whether those keep to every limit.
CREATE TEMP TABLE tried AS
WITH mean AS (
    SELECT t.point, a.place, a.metric, a.sign, a.bound,
           CASE count(m.value) WHEN count(*) THEN avg(m.value) END AS value
    FROM chosen AS c CROSS JOIN main.trial AS t ON t.run = c.run
    CROSS JOIN main.tuning_aim AS a
    LEFT JOIN main.run_metric AS m ON m.run = t.run AND m.metric = a.metric
    WHERE t.part = 'tuned' AND t.share = 1 AND t.point IS NOT NULL AND c.status = 'finished'
    GROUP BY t.point, a.place
)
SELECT point, place, metric, sign, value,
       (SELECT min(coalesce(sign * (value - bound) >= 0, 0)) FROM mean AS l
        WHERE l.point = mean.point AND l.bound IS NOT NULL) IS NOT 0 AS is_good
FROM mean WHERE bound IS NULL AND value IS NOT NULL;
