-- title: Where a request's time goes
-- caption: The mean of each part of a completed request's life, from its arrival to its last
-- caption: token.
-- empty: No request of these runs was completed.
-- order: 20
-- size: 480x250
WITH phase (number, name) AS (
    VALUES (1, 'ingest'), (2, 'queue'), (3, 'onboard'), (4, 'prefill'), (5, 'transfer'),
           (6, 'decode')
), part AS (
    SELECT d.place, d.label, d.run, p.number, p.name, m.value / 1e3 AS s
    FROM detail AS d CROSS JOIN phase AS p
    JOIN run_metric AS m ON m.run = d.run AND m.metric = 'phases_ms.' || p.name || '.mean'
    WHERE m.value IS NOT NULL
), laid AS (
    SELECT *, sum(s) OVER (PARTITION BY place ORDER BY number) AS to_s,
           (SELECT count(*) FROM detail AS other WHERE other.place <= part.place) AS line
    FROM part
)
SELECT name, to_s - s AS from_s, to_s, line, 'run ' || run AS run
FROM laid ORDER BY number, line;

SELECT group_concat(words, '; ') FROM (
    SELECT d.label || ': ' || group_concat(p.name || ' ' || span_words(m.value), ', ') AS words
    FROM detail AS d
    CROSS JOIN (SELECT 'queue' AS name UNION ALL SELECT 'prefill' UNION ALL SELECT 'decode') AS p
    JOIN run_metric AS m ON m.run = d.run AND m.metric = 'phases_ms.' || p.name || '.mean'
    GROUP BY d.place
);
