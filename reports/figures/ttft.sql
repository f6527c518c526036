-- title: Time to first token
-- caption: The share of completed requests whose first token came within so long. Further
-- caption: left is better.
-- empty: No request of these runs was completed.
-- order: 10
-- size: 480x290+10
WITH binned AS (
    SELECT d.place, d.label, bins(r.ttft_ns) AS bins
    FROM detail AS d CROSS JOIN request AS r ON r.run = d.run
    WHERE r.outcome = 0 GROUP BY d.place
)
SELECT label, (bin.value ->> 0) / 1e9 AS s,
       1.0 * sum(bin.value ->> 1) OVER (PARTITION BY place ORDER BY bin.key)
           / sum(bin.value ->> 1) OVER (PARTITION BY place) AS share
FROM binned, json_each(bins) AS bin
ORDER BY place, bin.key;

SELECT group_concat(printf('%s: half of the requests within %s, 99 %% within %s',
                           d.label, span_words(p50.value), span_words(p99.value)), '; ')
FROM detail AS d
JOIN run_metric AS p50 ON p50.run = d.run AND p50.metric = 'ttft_ms.p50'
JOIN run_metric AS p99 ON p99.run = d.run AND p99.metric = 'ttft_ms.p99';
