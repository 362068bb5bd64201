-- The shapes that history pages commonly have, and that OpenFn Lightning's had when performance.md was written:
-- DISTINCT over joins, OFFSET, an exact count of everything, ILIKE on ids, one text index over all log lines.
-- Rewritten for this schema. Each statement stands under its name.

-- name: list
SELECT DISTINCT w.id, w.state, w.last_activity, w.inserted_at, f.name
FROM work_orders w
JOIN workflows f ON f.id = w.workflow_id
LEFT JOIN runs r ON r.work_order_id = w.id
LEFT JOIN dataclips d ON d.id = w.dataclip_id
WHERE f.project_id = %(project)s
ORDER BY w.last_activity DESC NULLS FIRST LIMIT 25 OFFSET 0

-- name: state
SELECT DISTINCT w.id, w.state, w.last_activity, w.inserted_at, f.name
FROM work_orders w
JOIN workflows f ON f.id = w.workflow_id
LEFT JOIN runs r ON r.work_order_id = w.id
LEFT JOIN dataclips d ON d.id = w.dataclip_id
WHERE f.project_id = %(project)s AND w.state IN ('failed', 'crashed')
ORDER BY w.last_activity DESC NULLS FIRST LIMIT 25 OFFSET 0

-- name: deep
SELECT DISTINCT w.id, w.state, w.last_activity, w.inserted_at, f.name
FROM work_orders w
JOIN workflows f ON f.id = w.workflow_id
LEFT JOIN runs r ON r.work_order_id = w.id
LEFT JOIN dataclips d ON d.id = w.dataclip_id
WHERE f.project_id = %(project)s
ORDER BY w.last_activity DESC NULLS FIRST LIMIT 25 OFFSET %(offset)s

-- name: count
SELECT count(DISTINCT w.id)
FROM work_orders w
JOIN workflows f ON f.id = w.workflow_id
LEFT JOIN runs r ON r.work_order_id = w.id
WHERE f.project_id = %(project)s

-- name: id
SELECT DISTINCT w.id, w.state, w.last_activity
FROM work_orders w
JOIN workflows f ON f.id = w.workflow_id
LEFT JOIN runs r ON r.work_order_id = w.id
LEFT JOIN run_steps rs ON rs.run_id = r.id
WHERE f.project_id = %(project)s
  AND (w.id::text ILIKE %(pattern)s OR r.id::text ILIKE %(pattern)s OR rs.step_id::text ILIKE %(pattern)s)
ORDER BY w.last_activity DESC NULLS FIRST LIMIT 25 OFFSET 0

-- name: log
SELECT DISTINCT w.id, w.state, w.last_activity
FROM work_orders w
JOIN workflows f ON f.id = w.workflow_id
JOIN runs r ON r.work_order_id = w.id
JOIN reference.log_vectors l ON l.run_id = r.id
WHERE f.project_id = %(project)s AND l.search_vector @@ to_tsquery('simple', %(query)s)
ORDER BY w.last_activity DESC NULLS FIRST LIMIT 25 OFFSET 0

-- name: export
SELECT w.id, f.name, w.state, t.type, d.id, d.name, count(r.id), max(r.error_type), w.inserted_at, w.last_activity
FROM work_orders w
JOIN workflows f ON f.id = w.workflow_id
LEFT JOIN triggers t ON t.id = w.trigger_id
LEFT JOIN dataclips d ON d.id = w.dataclip_id
LEFT JOIN runs r ON r.work_order_id = w.id
WHERE f.project_id = %(project)s
GROUP BY w.id, f.name, t.type, d.id, d.name
ORDER BY w.last_activity DESC NULLS FIRST LIMIT 50 OFFSET %(offset)s
