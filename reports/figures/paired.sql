-- title: The same requests, run against run
-- caption: How much later each request had its first token than in the first run that was
-- caption: given the same requests: the share of requests with at most that difference. Left
-- caption: of 0 is sooner.
-- empty: No two of these runs were given the same requests.
-- order: 25
-- size: 480x290+10
WITH base AS (
    SELECT d.place, d.run, d.label,
           (SELECT group_concat(value) FROM
               (SELECT value FROM run_metric WHERE run = d.run AND metric IN
                   ('trace.requests', 'trace.input_tokens', 'trace.output_tokens')
                ORDER BY metric)) AS requests
    FROM detail AS d
), pair AS (
    SELECT b.place, b.run AS run, b.label || ' − run ' || a.run AS label, a.run AS base
    FROM base AS b JOIN base AS a
      ON a.place = (SELECT min(place) FROM base AS other WHERE other.requests = b.requests)
    WHERE a.place < b.place
), binned AS (
    SELECT p.place, p.label, bins(b.ttft_ns - a.ttft_ns) AS bins
    FROM pair AS p
    CROSS JOIN request AS a ON a.run = p.base
    CROSS JOIN request AS b ON b.run = p.run AND b.id = a.id
    WHERE a.outcome = 0 AND b.outcome = 0
    GROUP BY p.place
), share AS (
    SELECT place, label, bin.key AS number, (bin.value ->> 0) / 1e9 AS s,
           1.0 * sum(bin.value ->> 1) OVER (PARTITION BY place ORDER BY bin.key)
               / sum(bin.value ->> 1) OVER (PARTITION BY place) AS share
    FROM binned, json_each(bins) AS bin
)
SELECT label, s, share FROM share WHERE share BETWEEN 0.01 AND 0.99 ORDER BY place, number;

SELECT 'The means of their times to first token: '
       || group_concat(d.label || ' ' || span_words(m.value), '; ')
FROM detail AS d JOIN run_metric AS m ON m.run = d.run AND m.metric = 'ttft_ms.mean';
