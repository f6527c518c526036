-- title: What the fullest links carried
-- caption: The share of what it can carry that a link did, over time: of one run the four links
-- caption: that carried the largest share in all, of several runs the first of each.
-- empty: Nothing moved over links in these runs (--disagg, --tier), or no samples were recorded.
-- order: 46
-- size: 480x300
WITH ranked AS (
    SELECT d.place, d.run, d.label, l.number, l.name, l.bytes_per_s,
           row_number() OVER (PARTITION BY d.place
                              ORDER BY 1.0 * l.bytes / l.bytes_per_s DESC, l.number) AS rank
    FROM detail AS d JOIN link AS l ON l.run = d.run
), shown AS (
    SELECT *, CASE (SELECT count(*) FROM detail) WHEN 1 THEN name
                   ELSE label || ', ' || name END AS series
    FROM ranked
    WHERE rank <= CASE (SELECT count(*) FROM detail) WHEN 1 THEN 4 ELSE 1 END
), instant AS (
    SELECT s.run, s.at_ns, s.at_ns - lag(s.at_ns, 1, 0) OVER past AS span_ns,
           max(s.at_ns) OVER (PARTITION BY s.run) AS last_ns
    FROM (SELECT DISTINCT run FROM shown) CROSS JOIN sample AS s USING (run)
    WHERE s.worker = 0
    WINDOW past AS (PARTITION BY s.run ORDER BY s.at_ns)
)
SELECT series, avg(i.at_ns) / 1e9 AS s,
       100e9 * sum(coalesce(c.bytes, 0)) / sum(i.span_ns) / bytes_per_s AS percent
FROM shown AS l
JOIN instant AS i ON i.run = l.run
LEFT JOIN link_sample AS c ON c.run = l.run AND c.at_ns = i.at_ns AND c.link = l.number
GROUP BY place, rank, i.at_ns * 120 / (last_ns + 1)
ORDER BY place, rank, s;

SELECT group_concat(printf('%s: the fullest link was %s, with %.3g %% of what it can carry',
                           d.label, (SELECT l.name FROM link AS l WHERE l.run = d.run
                                     ORDER BY 1.0 * l.bytes / l.bytes_per_s DESC, l.number LIMIT 1),
                           100 * m.value), '; ')
FROM detail AS d JOIN run_metric AS m ON m.run = d.run AND m.metric = 'links.fullest.use';
