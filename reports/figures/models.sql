-- title: Models
-- caption: How each model of a fleet of several fared, on the GPUs that were up for it.
-- empty: These runs serve one model each (--models).
-- order: 115
SELECT f.label AS "run", f.name AS "model", f.what AS "what",
       max(iif(m.metric = f.metrics || 'requests', m.value, NULL)) AS "requests",
       max(iif(m.metric = f.metrics || 'completed', m.value, NULL)) AS "completed",
       100 * max(iif(m.metric = f.metrics || 'goodput_fraction', m.value, NULL))
           AS "within the objectives, %",
       max(iif(m.metric = f.metrics || 'ttft_ms.p50', m.value, NULL)) AS "TTFT p50, ms",
       max(iif(m.metric = f.metrics || 'ttft_ms.p99', m.value, NULL)) AS "TTFT p99, ms",
       max(iif(m.metric = f.metrics || 'tpot_ms.p50', m.value, NULL)) AS "TPOT p50, ms",
       100 * max(iif(m.metric = f.metrics || 'token_hit_rate', m.value, NULL))
           AS "found in cache, %",
       f.gpus AS "GPUs",
       max(iif(m.metric = f.metrics || 'gpu_hours', m.value, NULL)) AS "GPU hours"
FROM fleet_model AS f LEFT JOIN run_metric AS m ON m.run = f.run
GROUP BY f.place, f.number
ORDER BY f.place, f.number;
