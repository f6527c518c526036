-- What queries draw from, made of choice(place, run); see reports/run_set.h.

-- Options whose values tell the chosen runs apart.  Where a file lies, or a server, is no option
-- of the fleet.
CREATE TEMP TABLE differing AS
SELECT o.name AS name
FROM choice AS c JOIN main.run_option AS o ON o.run = c.run
WHERE o.name NOT LIKE 'output.%' AND o.name NOT LIKE 'serve.%' AND o.value IS NOT NULL
GROUP BY o.name
HAVING count(DISTINCT o.value) > 1;

CREATE TEMP TABLE chosen AS
SELECT c.place AS place, r.id AS run,
       r.id || CASE WHEN (SELECT count(*) FROM differing) BETWEEN 1 AND 3
                    THEN ': ' || (SELECT group_concat(substr(word, 1, 24), ', ') FROM
                        (SELECT CASE WHEN name IN ('router.policy', 'model.name', 'fleet.gpu',
                                                   'engine.profile', 'planner.policy',
                                                   'generate.arrival')
                                     THEN value
                                     ELSE replace(substr(name, instr(name, '.') + 1), '_', ' ')
                                          || ' ' || value END AS word
                         FROM main.run_option JOIN differing USING (name)
                         WHERE run = r.id AND value IS NOT NULL ORDER BY name))
                    ELSE '' END AS label,
       true_status(r.status, h.machine, h.process, strftime('%s', h.started_at)) AS status,
       r.title AS title
FROM choice AS c JOIN main.run AS r ON r.id = c.run LEFT JOIN main.host AS h ON h.run = r.id
ORDER BY c.place;

CREATE TEMP TABLE detail (place INTEGER PRIMARY KEY, run INTEGER NOT NULL, label TEXT NOT NULL);
INSERT INTO detail
SELECT place, run, label FROM
    (SELECT place, run, coalesce(label, 'run ' || run) AS label FROM chosen
     WHERE status IN ('finished', 'interrupted') ORDER BY place DESC LIMIT 6)
ORDER BY place;
