-- title: Goodput against GPUs
-- caption: Requests a second that met every objective, over the GPUs of the fleet; lines
-- caption: join runs that differ in the size of their fleet only.
-- empty: There are no two runs with objectives (--slo) that differ in their GPUs only.
-- order: 61
WITH point AS (
    SELECT f.by_size AS family, c.run,
           (SELECT value FROM run_metric WHERE run = c.run AND metric = 'fleet.gpus') AS gpus,
           (SELECT value FROM run_metric WHERE run = c.run AND metric = 'goodput.requests_per_s')
               AS goodput
    FROM chosen AS c JOIN family AS f ON f.run = c.run
    WHERE c.status = 'finished'
)
SELECT family, gpus, goodput FROM point
WHERE goodput IS NOT NULL AND gpus IS NOT NULL AND family IN
    (SELECT family FROM point WHERE goodput IS NOT NULL
     GROUP BY family HAVING count(DISTINCT gpus) > 1)
ORDER BY family, gpus;
