-- title: GPUs of each model over the load
-- caption: Above: requests a second for each model. Below: the GPUs of its workers that were up:
-- caption: ready, starting, or finishing what they have.
-- empty: No planner divided GPUs among several models in these runs (--models, --planner).
-- order: 51
-- size: 480x400
WITH span AS (
    SELECT place, run, number, series, 1.0 * gpus / workers AS worker_gpus,
           (SELECT max(at_ns) FROM plan WHERE run = f.run) AS last_ns
    FROM fleet_model AS f WHERE is_drawn
)
SELECT series, min(p.at_ns) / 1e9 AS s, avg(p.rate) AS rate,
       max(p.ready + p.starting + p.draining) * worker_gpus AS gpus
FROM span CROSS JOIN plan AS p ON p.run = span.run AND p.model = span.number
GROUP BY place, number, p.at_ns * 300 / (last_ns + 1)
ORDER BY place, number, s;

SELECT group_concat(printf('%s: %.3g GPU hours for %.3g requests a second', f.series, hours.value,
                           rate.value), '; ')
FROM fleet_model AS f
JOIN run_metric AS hours ON hours.run = f.run AND hours.metric = f.metrics || 'gpu_hours'
JOIN run_metric AS rate ON rate.run = f.run AND rate.metric = f.metrics || 'requests_per_s'
WHERE f.is_drawn;
