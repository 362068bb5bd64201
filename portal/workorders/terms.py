"""What a search term means: parts of an id, a piece of a name, words of a text (workorders §9.2, §9.3)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

# Four weeks in seconds; the same as in the SQL function search_bucket.
BUCKET = 2_419_200
SHORTEST_PREFIX, SHORTEST_TAIL, WHOLE = 4, 8, 32
_HEX = re.compile(r"[0-9a-f]{4,32}")


@dataclass(frozen=True, slots=True)
class IdTerm:
    """A term that may be an id: its hexadecimal digits, and the range of ids that begin with them."""

    digits: str
    low: uuid.UUID
    high: uuid.UUID

    @property
    def tail(self) -> str | None:
        """The digits when there are enough to seek them at the end of ids: 8 or more, but no whole id."""
        return self.digits if SHORTEST_TAIL <= len(self.digits) < WHOLE else None


def id_term(term: str) -> IdTerm | None:
    """Read `term` as the beginning (4 digits or more) or the end (8 or more) of an id.

    Case and hyphens do not matter. None for what can be no such part.
    """
    digits = term.lower().replace("-", "")
    if not _HEX.fullmatch(digits):
        return None
    return IdTerm(digits, uuid.UUID(digits.ljust(WHOLE, "0")), uuid.UUID(digits.ljust(WHOLE, "f")))


def like_pattern(term: str) -> str:
    """A LIKE pattern (escape character: backslash) for texts that hold `term` as it stands."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", term) + "%"


def gist_pattern(term: str) -> str:
    """A LIKE pattern that every text with the phrase of `term` answers to, and many more do.

    Runs of letters and digits, in order. Signs that begin what the parser leaves out
    (tags, entities, protocols) make it answer to everything.
    """
    runs = [] if re.search(r"[<&]|//", term) else re.findall(r"[^\W_]+", term)
    return "%" + "".join(f"{run}%" for run in runs)


def phrase_text(term: str) -> str:
    """`term` as one quoted phrase for to_tsquery: neighbouring words in order, each a prefix.

    Operators inside the quotes are plain separators. Apostrophes become spaces.
    """
    inside = term.replace("\\", "\\\\").replace("'", " ")
    # Quotes around nothing would be a mistake of grammar; around a blank they are a phrase without words.
    return f"' {inside}':*"


def bucket_of(moment: datetime) -> int:
    """The number of the four-week period of `moment` (aware)."""
    return int(moment.timestamp() // BUCKET)


def words_query(project_number: int, buckets: Iterable[int], lexemes: Sequence[str]) -> str:
    """A tsquery, as text, for rows of the project in any of `buckets` that have all `lexemes` as prefixes."""
    groups = (
        " & ".join(_quoted(f"{project_number}.{bucket}/{lexeme}") for lexeme in lexemes) for bucket in buckets
    )
    return " | ".join(f"({group})" for group in groups)


def _quoted(lexeme: str) -> str:
    inside = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{inside}':*"
