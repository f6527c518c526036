-- title: How busy each worker was
-- caption: The share of each stretch of time that a worker spent computing: the stronger the
-- caption: colour, the more of it; a line is a worker, 0 at the top, or the mean of several
-- caption: neighbours.
-- empty: No samples were recorded (--sample-every).
-- order: 40
-- size: 480x80+130
WITH RECURSIVE span AS (
    SELECT place, run, label,
           (SELECT max(at_ns) FROM sample WHERE run = d.run) AS last_ns,
           (SELECT 1 + max(worker) FROM sample
            WHERE run = d.run AND at_ns = (SELECT max(at_ns) FROM sample WHERE run = d.run))
               AS workers
    FROM detail AS d
), stretch AS (
    SELECT place, run, label, workers, last_ns, 0 AS number FROM span WHERE last_ns > 0
    UNION ALL
    SELECT place, run, label, workers, last_ns, number + 1 FROM stretch WHERE number < 96
), look AS (
    SELECT DISTINCT place, run, label, workers,
           (SELECT max(at_ns) FROM sample
            WHERE run = t.run AND at_ns <= last_ns * number / 96) AS at_ns
    FROM stretch AS t
), busy AS (
    SELECT l.place, l.label, s.at_ns,
           s.worker * min(l.workers, 24) / l.workers AS line,
           lag(s.at_ns) OVER past AS since_ns,
           1.0 * (s.busy_ns - lag(s.busy_ns) OVER past) / (s.at_ns - lag(s.at_ns) OVER past)
               AS share
    FROM look AS l JOIN sample AS s ON s.run = l.run AND s.at_ns = l.at_ns
    WINDOW past AS (PARTITION BY l.place, s.worker ORDER BY s.at_ns)
), cell AS (
    SELECT place, label, line, since_ns, at_ns,
           max(0, min(7, CAST(8 * avg(share) AS INTEGER))) AS shade
    FROM busy WHERE share IS NOT NULL GROUP BY place, line, since_ns, at_ns
), part AS ( -- neighbours of one shade are one
    SELECT *, row_number() OVER (PARTITION BY place, line ORDER BY at_ns)
            - row_number() OVER (PARTITION BY place, line, shade ORDER BY at_ns) AS together
    FROM cell
)
SELECT label, min(since_ns) / 1e9 AS from_s, max(at_ns) / 1e9 AS to_s, line, shade
FROM part
GROUP BY place, line, shade, together
ORDER BY place, line, from_s;

SELECT group_concat(printf('%s: its workers were busy for %.3g %% of the time', d.label,
                           100 * m.value), '; ')
FROM detail AS d JOIN run_metric AS m ON m.run = d.run AND m.metric = 'fleet.busy_fraction';
