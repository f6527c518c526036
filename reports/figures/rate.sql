-- title: Latency against load
-- caption: The 99th percentiles of each run over the rate at which its requests came; lines
-- caption: join runs that differ in their load only.
-- empty: There are no two runs that differ in their load only (--arrival, --speedup,
-- empty: --concurrency), but for trials of a tuning.
-- order: 60
-- size: 480x420
WITH load AS (
    SELECT c.place, c.run, f.by_load AS family,
           (SELECT value FROM run_metric WHERE run = c.run AND metric = 'trace.requests')
               AS requests,
           ((SELECT scheduled_ns FROM request WHERE run = c.run ORDER BY id DESC LIMIT 1)
            - (SELECT scheduled_ns FROM request WHERE run = c.run ORDER BY id LIMIT 1)) / 1e9 AS s
    FROM chosen AS c JOIN family AS f ON f.run = c.run
    WHERE c.status = 'finished' AND c.run NOT IN (SELECT run FROM trial)
), point AS (
    SELECT family, run, (requests - 1) / nullif(s, 0) AS rate,
           (SELECT value / 1e3 FROM run_metric WHERE run = l.run AND metric = 'ttft_ms.p99')
               AS ttft,
           (SELECT value / 1e3 FROM run_metric WHERE run = l.run AND metric = 'tpot_ms.p99')
               AS tpot
    FROM load AS l
)
SELECT family, rate, ttft, tpot FROM point
WHERE rate IS NOT NULL AND family IN
    (SELECT family FROM point GROUP BY family HAVING count(DISTINCT round(rate, 3)) > 1)
ORDER BY family, rate;
