"""Functions of full-text search and of CSV export (workorders §9.3, §13)."""

from __future__ import annotations

from alembic import op

revision = "0007_search_functions"
down_revision = "0006_history"
branch_labels = None
depends_on = None

FUNCTIONS = (
    r"""
-- The four-week period of a moment. The same number as terms.bucket_of in Python.
CREATE FUNCTION search_bucket(moment timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN floor(extract(epoch FROM moment) / 2419200)::integer;
""",
    r"""
-- What each lexeme begins with: project number and period, so one index serves each project and period as its own.
CREATE FUNCTION search_prefix(project_number bigint, moment timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN project_number::text || '.' || search_bucket(moment)::text || '/';
""",
    r"""
-- Long text in pieces of at most 100,000 characters; each repeats the last 500 of the one before, so that no
-- word or phrase at a cut is lost.
CREATE FUNCTION search_pieces(document text) RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF octet_length(document) <= 100000 THEN
        RETURN NEXT document;
        RETURN;
    END IF;
    FOR start IN 1 .. greatest(length(document) - 500, 1) BY 99500 LOOP
        RETURN NEXT substr(document, start, 100000);
    END LOOP;
END
$$;
""",
    r"""
-- The words of a text, with places. A text with too many words for one vector gives none: it must not fail for ever.
CREATE FUNCTION search_words(document text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED AS $$
BEGIN
    IF octet_length(document) < 100000 THEN
        RETURN to_tsvector('pg_catalog.simple', document);
    END IF;
    BEGIN
        RETURN to_tsvector('pg_catalog.simple', document);
    EXCEPTION WHEN program_limit_exceeded THEN
        RETURN ''::tsvector;
    END;
END
$$;
""",
    r"""
-- A body as running text: JSON escapes become blanks, so that "\n" does not grow onto the next word.
CREATE FUNCTION search_body_text(body jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN replace(replace(replace(replace(replace(replace(replace(
    body::text, '\\', ' '), '\"', ' '), '\n', ' '), '\r', ' '), '\t', ' '), '\b', ' '), '\f', ' ');
""",
    r"""
-- The words of a body: keys, strings, numbers, booleans; a key and its value are never neighbours.
-- Small bodies give one vector. Large ones are read as text, in pieces.
CREATE FUNCTION search_body_words(body jsonb) RETURNS SETOF tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED AS $$
BEGIN
    IF octet_length(body::text) < 100000 THEN
        RETURN NEXT jsonb_to_tsvector('pg_catalog.simple', body, '["all"]');
    ELSE
        RETURN QUERY SELECT search_words(piece) FROM search_pieces(search_body_text(body)) AS piece;
    END IF;
END
$$;
""",
    r"""
-- Prefixed lexemes as an indexable vector without places. Over-long lexemes are left out; so are, past 900 KB, the
-- longest ones: a vector holds 1 MB.
CREATE FUNCTION search_vector(prefix text, lexemes text[]) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    kept text[];
BEGIN
    SELECT array_agg(DISTINCT prefix || lexeme) INTO kept
    FROM unnest(lexemes) AS lexeme WHERE octet_length(lexeme) BETWEEN 1 AND 1900;
    IF kept IS NULL THEN
        RETURN ''::tsvector;
    END IF;
    IF octet_length(array_to_string(kept, '')) > 900000 THEN
        SELECT array_agg(lexeme) INTO kept FROM (
            SELECT lexeme, sum(octet_length(lexeme)) OVER (ORDER BY octet_length(lexeme), lexeme) AS upto
            FROM unnest(kept) AS lexeme
        ) AS measured WHERE upto <= 900000;
    END IF;
    RETURN array_to_tsvector(kept);
END
$$;
""",
    r"""
-- The same words under another prefix: the work order was active in another period since.
CREATE FUNCTION search_restamp(words tsvector, prefix text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_to_tsvector(array_agg(prefix || substr(lexeme, strpos(lexeme, '/') + 1))), ''::tsvector)
    FROM unnest(tsvector_to_array(words)) AS lexeme
$$;
""",
    r"""
-- The first piece of a long text that answers to a phrase; null when none does. Parsing is dear: only pieces that
-- hold the phrase's longest word as it stands are parsed.
CREATE FUNCTION search_piece(document text, phrase tsquery) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED AS $$
DECLARE
    needle text;
    piece text;
BEGIN
    SELECT replace(replace(quoted[1], '''''', ''''), '\\', '\') INTO needle
    FROM regexp_matches(phrase::text, '''((?:[^'']|'''')*)''', 'g') AS quoted
    ORDER BY length(quoted[1]) DESC LIMIT 1;
    FOR piece IN SELECT pieces FROM search_pieces(document) AS pieces LOOP
        IF strpos(lower(piece), needle) > 0 AND search_words(piece) @@ phrase THEN
            RETURN piece;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
""",
    r"""
-- Whether a text answers to a phrase: neighbouring words, in order, each as a prefix.
CREATE FUNCTION search_text_matches(document text, phrase tsquery) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED AS $$
BEGIN
    IF octet_length(document) < 100000 THEN
        RETURN to_tsvector('pg_catalog.simple', document) @@ phrase;
    END IF;
    RETURN search_piece(document, phrase) IS NOT NULL;
END
$$;
""",
    r"""
-- Whether a body answers to a phrase. Large ones are read as text, as in search_body_words.
CREATE FUNCTION search_body_matches(body jsonb, phrase tsquery) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED AS $$
BEGIN
    IF octet_length(body::text) < 100000 THEN
        RETURN jsonb_to_tsvector('pg_catalog.simple', body, '["all"]') @@ phrase;
    END IF;
    RETURN search_piece(search_body_text(body), phrase) IS NOT NULL;
END
$$;
""",
    r"""
-- Whether a line of a run's log answers to a phrase; `gist` is a LIKE pattern that passes over most lines at once.
-- A plan for all partitions is made once, not at each look.
CREATE FUNCTION search_logs_match(run uuid, phrase tsquery, gist text) RETURNS boolean
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM log_lines AS l
        WHERE l.run_id = run AND l.message ILIKE gist AND search_text_matches(l.message, phrase)
    );
END
$$;
""",
    r"""
-- Whether one of a run's inputs answers: its own, or one of its steps'.
CREATE FUNCTION search_inputs_match(run uuid, phrase tsquery, gist text) RETURNS boolean
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM (
            SELECT r.dataclip_id FROM runs AS r WHERE r.id = run
            UNION SELECT s.input_dataclip_id FROM run_steps AS rs JOIN steps AS s ON s.id = rs.step_id
            WHERE rs.run_id = run
        ) AS i
        JOIN dataclip_bodies AS b ON b.dataclip_id = i.dataclip_id
        WHERE b.body::text ILIKE gist AND search_body_matches(b.body, phrase)
    );
END
$$;
""",
    r"""
-- A piece of the first line of a run's log that answers, with its words marked; null when none does.
CREATE FUNCTION search_log_snippet(run uuid, phrase tsquery, gist text, options text) RETURNS text
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (
        SELECT ts_headline('pg_catalog.simple', search_piece(l.message, phrase), phrase, options)
        FROM log_lines AS l
        WHERE l.run_id = run AND l.message ILIKE gist AND search_text_matches(l.message, phrase)
        ORDER BY l.seq LIMIT 1
    );
END
$$;
""",
    r"""
-- One cell of a CSV file, always quoted. A cell that a spreadsheet would run as a formula gets a leading apostrophe.
CREATE FUNCTION csv_cell(content text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN content IS NULL THEN ''
    WHEN content ~ '^[[:space:]]*[-=+@\t\r\n＝＋－＠]' THEN '"''' || replace(content, '"', '""') || '"'
    ELSE '"' || replace(content, '"', '""') || '"'
END;
""",
)
NAMES = (
    "csv_cell(text)",
    "search_log_snippet(uuid, tsquery, text, text)",
    "search_inputs_match(uuid, tsquery, text)",
    "search_logs_match(uuid, tsquery, text)",
    "search_body_matches(jsonb, tsquery)",
    "search_text_matches(text, tsquery)",
    "search_piece(text, tsquery)",
    "search_restamp(tsvector, text)",
    "search_vector(text, text[])",
    "search_body_words(jsonb)",
    "search_body_text(jsonb)",
    "search_words(text)",
    "search_pieces(text)",
    "search_prefix(bigint, timestamptz)",
    "search_bucket(timestamptz)",
)


def upgrade() -> None:
    """Create the functions."""
    for function in FUNCTIONS:
        op.get_bind().exec_driver_sql(function)


def downgrade() -> None:
    """Drop the functions, last made first."""
    for name in NAMES:
        op.execute(f"DROP FUNCTION {name}")
