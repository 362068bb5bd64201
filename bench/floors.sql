-- The least that the database can be asked for the same rows. Each statement stands under its name.

-- name: list
SELECT id, state, last_activity FROM work_orders WHERE project_id = %(project)s
ORDER BY last_activity DESC, id DESC LIMIT 25

-- name: state
SELECT id, state, last_activity FROM work_orders WHERE project_id = %(project)s AND state = 'failed'
ORDER BY last_activity DESC, id DESC LIMIT 25

-- name: count
SELECT count(*) FROM (SELECT 1 FROM work_orders WHERE project_id = %(project)s LIMIT 10001) AS counted

-- name: id
SELECT id, state, last_activity FROM work_orders WHERE id = %(work_order)s

-- name: export
COPY (
    SELECT w.id, f.name, w.state, t.type, w.dataclip_id, d.name, r.runs, r.error_type, w.inserted_at,
        w.last_activity, p.name
    FROM work_orders w
    JOIN projects p ON p.id = w.project_id
    JOIN workflows f ON f.id = w.workflow_id
    LEFT JOIN triggers t ON t.id = w.trigger_id
    LEFT JOIN dataclips d ON d.id = w.dataclip_id
    LEFT JOIN LATERAL (
        SELECT error_type, count(*) OVER () AS runs FROM runs WHERE work_order_id = w.id
        ORDER BY inserted_at DESC, id DESC LIMIT 1) AS r ON true
    WHERE w.project_id = %(project)s
    ORDER BY w.last_activity DESC, w.id DESC
) TO STDOUT WITH (FORMAT csv)

-- name: claim
UPDATE runs SET state = 'claimed', claimed_at = now() WHERE id = (
    SELECT id FROM runs WHERE state = 'available'
    ORDER BY workflow_id, priority, inserted_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id
