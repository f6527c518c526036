-- title: What went wrong
-- caption: Above: the time to first token of requests by when they came, the mean of each stretch
-- caption: of time. Below: what was gone, stood still or was slow, and when, of the first ten that
-- caption: anything happened to.
-- empty: Nothing went wrong in these runs (--fault, faults.death_every, ...).
-- order: 41
-- size: 480x470
WITH span AS MATERIALIZED (
    SELECT place, run, label,
           (SELECT max(arrival_ns) FROM request WHERE run = d.run) + 1 AS last_ns,
           max((SELECT max(arrival_ns) FROM request WHERE run = d.run),
               (SELECT coalesce(max(at_ns), 0) FROM sample WHERE run = d.run),
               (SELECT max(at_ns) FROM fault WHERE run = d.run)) AS end_ns
    FROM detail AS d WHERE EXISTS (SELECT 1 FROM fault WHERE run = d.run)
), line AS (
    SELECT f.what, f.target, f.kind, f.slowness,
           row_number() OVER (ORDER BY min(f.at_ns), f.what, f.target, f.kind, f.slowness) AS line
    FROM span JOIN fault AS f USING (run)
    GROUP BY f.what, f.target, f.kind, f.slowness
)
SELECT label, s, ttft_s, from_s, to_s, line, name FROM (
    SELECT place, label, avg(r.arrival_ns) / 1e9 AS s, avg(r.ttft_ns) / 1e9 AS ttft_s,
           NULL AS from_s, NULL AS to_s, NULL AS line, NULL AS name
    FROM span CROSS JOIN request AS r ON r.run = span.run
    WHERE r.ttft_ns IS NOT NULL
    GROUP BY place, r.arrival_ns * 200 / last_ns
    UNION ALL
    SELECT s.place, s.label, NULL, NULL, f.at_ns / 1e9,
           min(coalesce(f.until_ns, s.end_ns), s.end_ns) / 1e9, l.line,
           CASE WHEN row_number() OVER (PARTITION BY l.line ORDER BY s.place, f.at_ns) = 1 THEN
               CASE WHEN f.what IN ('worker', 'peer', 'nic', 'host', 'disk', 'store')
                    THEN f.what || ' ' || f.target ELSE 'switch ' || f.what END
               || CASE WHEN f.kind = 'death' THEN ' gone'
                       WHEN f.slowness > 0 THEN printf(' %d× slower', f.slowness)
                       WHEN f.kind = 'stall' THEN ' frozen' ELSE ' down' END
           ELSE '' END
    FROM span AS s JOIN fault AS f ON f.run = s.run
    JOIN line AS l USING (what, target, kind, slowness)
    WHERE l.line <= 10
)
ORDER BY place, line, s, from_s;

SELECT group_concat(printf('%s: deaths of workers %d, stalls %d, links down or slow %d; requests '
                           || 'that went on elsewhere %d, lost %d', d.label, deaths.value,
                           stalls.value, links.value, migrated.value, lost.value), '; ')
FROM detail AS d
JOIN run_metric AS deaths ON deaths.run = d.run AND deaths.metric = 'faults.deaths'
JOIN run_metric AS stalls ON stalls.run = d.run AND stalls.metric = 'faults.stalls'
JOIN run_metric AS links ON links.run = d.run AND links.metric = 'faults.link_outages'
JOIN run_metric AS migrated ON migrated.run = d.run AND migrated.metric = 'faults.requests_migrated'
JOIN run_metric AS lost ON lost.run = d.run AND lost.metric = 'faults.requests_lost';
