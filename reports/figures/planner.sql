-- title: The planner's decisions over the load
-- caption: Above: requests a second as they came, and as the planner expected them (dots).
-- caption: Below: workers that were ready, and that the planner wanted (dots), of all roles
-- caption: and models.
-- empty: No planner was at work in these runs (--planner).
-- order: 50
-- size: 480x400
WITH span AS (
    SELECT place, run, label, (SELECT max(at_ns) FROM plan WHERE run = d.run) AS last_ns
    FROM detail AS d
), look AS ( -- every role sees the rate of its model
    SELECT p.run, p.at_ns, sum(iif(p.role = 'prefill', 0, p.rate)) AS rate,
           sum(iif(p.role = 'prefill', 0, p.forecast_rate)) AS forecast, sum(p.ready) AS ready,
           sum(p.desired) AS desired
    FROM span CROSS JOIN plan AS p ON p.run = span.run
    GROUP BY p.run, p.at_ns
)
SELECT label, min(at_ns) / 1e9 AS s, avg(rate) AS rate, avg(forecast) AS forecast,
       max(ready) AS ready, max(desired) AS desired
FROM span JOIN look USING (run)
GROUP BY place, at_ns * 300 / (last_ns + 1)
ORDER BY place, s;

SELECT group_concat(printf('%s: %d decisions and %d starts of workers, %.3g GPU hours', d.label,
                           decisions.value, starts.value, hours.value), '; ')
FROM detail AS d
JOIN run_metric AS decisions ON decisions.run = d.run AND decisions.metric = 'planner.decisions'
JOIN run_metric AS starts ON starts.run = d.run AND starts.metric = 'planner.starts'
JOIN run_metric AS hours ON hours.run = d.run AND hours.metric = 'planner.gpu_hours';
