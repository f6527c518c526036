-- title: All runs
-- caption: A line is a run; one without numbers did not come to its end.
-- empty: There is only one run.
-- order: 100
SELECT c.run AS "run", c.status AS "status",
       coalesce((SELECT group_concat(word, ', ') FROM word WHERE run = c.run), c.title) AS "what",
       o.requests AS "requests", o.requests_per_s AS "requests/s", o.ttft_ms_p50 AS "TTFT p50, ms",
       o.ttft_ms_p99 AS "TTFT p99, ms", o.tpot_ms_p50 AS "TPOT p50, ms",
       (SELECT value FROM run_metric WHERE run = c.run AND metric = 'goodput.requests_per_s')
           AS "goodput, 1/s",
       100 * o.token_hit_rate AS "found in cache, %",
       (SELECT value FROM run_metric WHERE run = c.run AND metric = 'fleet.gpu_hours')
           AS "GPU hours"
FROM chosen AS c JOIN run_overview AS o ON o.id = c.run
WHERE (SELECT count(*) FROM chosen) > 1
ORDER BY c.place;
