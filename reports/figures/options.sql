-- title: What tells the runs apart
-- caption: Options that do not have the same value in all of them.
-- empty: Their options are the same, or there is only one run.
-- order: 90
SELECT o.name AS "option", o.value AS "value",
       CASE WHEN count(*) <= 12 THEN CAST(group_concat(c.run, ', ') AS TEXT)
            ELSE printf('%d of them, %d to %d', count(*), min(c.run), max(c.run)) END AS "runs"
FROM chosen AS c JOIN run_option AS o ON o.run = c.run
WHERE o.name IN (SELECT name FROM differing) AND o.value IS NOT NULL
GROUP BY o.name, o.value
ORDER BY o.name, min(c.place)
LIMIT 200;
