-- title: Time to first token, model by model
-- caption: The share of a model's completed requests whose first token came within so long, of
-- caption: the first models of every run. Further left is better.
-- empty: These runs serve one model each (--models), or none of their requests was completed.
-- order: 11
-- size: 480x290+10
WITH binned AS (
    SELECT f.place, f.number, f.series, bins(r.ttft_ns) AS bins
    FROM fleet_model AS f CROSS JOIN request AS r ON r.run = f.run AND r.model = f.number
    WHERE f.is_drawn AND r.outcome = 0 GROUP BY f.place, f.number
)
SELECT series, (bin.value ->> 0) / 1e9 AS s,
       1.0 * sum(bin.value ->> 1) OVER (PARTITION BY place, number ORDER BY bin.key)
           / sum(bin.value ->> 1) OVER (PARTITION BY place, number) AS share
FROM binned, json_each(bins) AS bin
ORDER BY place, number, bin.key;

SELECT group_concat(printf('%s: half of the requests within %s, 99 %% within %s',
                           f.series, span_words(p50.value), span_words(p99.value)), '; ')
FROM fleet_model AS f
JOIN run_metric AS p50 ON p50.run = f.run AND p50.metric = f.metrics || 'ttft_ms.p50'
JOIN run_metric AS p99 ON p99.run = f.run AND p99.metric = f.metrics || 'ttft_ms.p99'
WHERE f.is_drawn;
