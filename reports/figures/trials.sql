-- title: Trials of a tuning
-- caption: The first goal of every point that was tried, in that order, and the best so far of
-- caption: those that keep to the limits. Trials on a part of the requests are left out.
-- empty: There are no trials of dyno tune among these runs.
-- order: 64
WITH shown AS (
    SELECT t.point, t.metric, t.sign, avg(t.value) AS value, min(t.is_good) AS is_good
    FROM chosen AS c CROSS JOIN trial_goal AS t ON t.run = c.run
    WHERE t.part = 'tuned' AND t.share = 1 AND t.place = 0 AND t.value IS NOT NULL
    GROUP BY t.point
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

SELECT printf('%d points were tried; the best has %s %.4g, as given it is %.4g',
              max(t.point), t.metric,
              max(CASE t.is_good WHEN 1 THEN t.sign * t.value END) * t.sign,
              max(CASE t.point WHEN 0 THEN t.value END))
FROM chosen AS c CROSS JOIN trial_goal AS t ON t.run = c.run
WHERE t.part = 'tuned' AND t.share = 1 AND t.place = 0
HAVING count(*) > 0;
