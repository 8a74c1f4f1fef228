"""Give SQL the function ``search_terms``: what a reader typed comes in, an FTS5 query goes out."""

# mypy: disable-error-code="untyped-decorator"

import re
import sqlite3
import unicodedata

from datasette.hookspecs import hookimpl

# What the tokenizer unicode61 holds to be a word: letters and digits of any script.
WORD = re.compile(r"[^\W_]+", re.UNICODE)
SHORTEST_PREFIX = 3  # bytes, so one sign of Chinese will do; "th" is found in a tenth of all songs

NOTHING = '""'


@hookimpl
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Make ``search_terms`` known to every connection."""
    conn.create_function("search_terms", 1, search_terms, deterministic=True)


def search_terms(text: object) -> str:
    """Return the words of ``text``, each quoted, so that no operator or quote is left.

    The last word may be the beginning of one, as a reader is often still typing it.

    Returns:
        An FTS5 query that asks for every word; without any, one that matches nothing.
    """
    words = WORD.findall(unicodedata.normalize("NFC", str(text or "")))
    if not words:
        return NOTHING
    prefix = "*" if len(words[-1].encode()) >= SHORTEST_PREFIX else ""
    return " ".join(f'"{word}"' for word in words) + prefix
