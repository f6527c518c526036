-- title: Trials of a tuning
-- caption: The first goal of every point that was tried, in that order, and the best so far of
-- caption: those that keep to the limits, means over the seeds. Trials on a part of the requests
-- caption: are left out.
-- empty: There are no trials of dyno tune among these runs.
-- order: 4
WITH shown AS (
    SELECT point, metric, sign, value, is_good FROM tried WHERE place = 0
), best AS (
    SELECT point, metric,
           sign * max(CASE is_good WHEN 1 THEN sign * value END) OVER (ORDER BY point) AS value
    FROM shown
)
SELECT name, point, value, metric FROM (
    SELECT 0 AS place, 'best so far' AS name, point, value, metric FROM best
    UNION ALL
    SELECT 2 - is_good, CASE is_good WHEN 1 THEN 'within the limits' ELSE 'beyond a limit' END,
           point, value, metric
    FROM shown
)
ORDER BY place, point;

SELECT printf('%d points were tried; the best has %s %.4g, as given it is %.4g', max(point), metric,
              max(CASE is_good WHEN 1 THEN sign * value END) * sign,
              max(CASE point WHEN 0 THEN value END))
FROM tried WHERE place = 0 HAVING count(*) > 0;
