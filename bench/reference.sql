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

-- name: claim
WITH ranked AS (
    SELECT r.id, r.state, r.priority, r.inserted_at,
        coalesce(f.concurrency, p.concurrency) AS slots,
        CASE WHEN f.concurrency IS NOT NULL THEN f.id ELSE p.id END AS pool,
        row_number() OVER (PARTITION BY w.workflow_id ORDER BY r.priority, r.inserted_at) AS place
    FROM runs r
    JOIN work_orders w ON w.id = r.work_order_id
    JOIN workflows f ON f.id = w.workflow_id
    JOIN projects p ON p.id = f.project_id
    WHERE r.state IN ('available', 'claimed', 'started')
), numbered AS (
    SELECT id, state, priority, inserted_at, slots,
        row_number() OVER (PARTITION BY pool ORDER BY inserted_at) AS number
    FROM ranked WHERE place <= 50
), eligible AS (
    SELECT id FROM numbered WHERE state = 'available' AND (slots IS NULL OR number <= slots)
    ORDER BY priority, inserted_at
), chosen AS (
    SELECT r.id FROM runs r JOIN eligible e ON e.id = r.id
    ORDER BY r.priority, r.inserted_at LIMIT 1 FOR UPDATE OF r SKIP LOCKED
)
UPDATE runs SET state = 'claimed', claimed_at = now() FROM chosen WHERE runs.id = chosen.id RETURNING runs.id

-- name: body
SELECT DISTINCT w.id, w.state, w.last_activity
FROM work_orders w
JOIN workflows f ON f.id = w.workflow_id
JOIN runs r ON r.work_order_id = w.id
JOIN run_steps rs ON rs.run_id = r.id
JOIN steps s ON s.id = rs.step_id
JOIN reference.body_vectors b ON b.dataclip_id = s.input_dataclip_id
WHERE f.project_id = %(project)s AND b.search_vector @@ to_tsquery('simple', %(query)s)
ORDER BY w.last_activity DESC NULLS FIRST LIMIT 25 OFFSET 0

-- name: everywhere
SELECT DISTINCT w.id, w.state, w.last_activity
FROM work_orders w
JOIN workflows f ON f.id = w.workflow_id
LEFT JOIN runs r ON r.work_order_id = w.id
LEFT JOIN run_steps rs ON rs.run_id = r.id
LEFT JOIN steps s ON s.id = rs.step_id
LEFT JOIN dataclips d ON d.id = w.dataclip_id
LEFT JOIN reference.body_vectors b ON b.dataclip_id = s.input_dataclip_id
LEFT JOIN reference.log_vectors l ON l.run_id = r.id
WHERE f.project_id = %(project)s
  AND (w.id::text ILIKE %(pattern)s OR r.id::text ILIKE %(pattern)s OR rs.step_id::text ILIKE %(pattern)s
    OR d.name ILIKE %(pattern)s OR b.search_vector @@ to_tsquery('simple', %(query)s)
    OR l.search_vector @@ to_tsquery('simple', %(query)s))
ORDER BY w.last_activity DESC NULLS FIRST LIMIT 25 OFFSET 0

-- name: lines
INSERT INTO reference.lines (run_id, seq, level, message, timestamp)
SELECT %(run)s, n, 'info', 'line ' || n || ' of a batch', now()
FROM generate_series(CAST(%(first)s AS int), CAST(%(last)s AS int)) AS n

-- name: line_words
UPDATE reference.lines SET search_vector = to_tsvector('simple', message)
WHERE run_id = %(run)s AND seq BETWEEN %(first)s AND %(last)s
