-- title: Requests that were not completed
-- caption: How they ended.
-- empty: All requests were completed.
-- order: 110
SELECT d.label AS "run", o.name AS "outcome", count(*) AS "requests", o.help AS "why"
FROM detail AS d CROSS JOIN request AS r ON r.run = d.run JOIN outcome AS o ON o.code = r.outcome
WHERE r.outcome <> 0
GROUP BY d.place, o.code
ORDER BY d.place, o.code;
