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
