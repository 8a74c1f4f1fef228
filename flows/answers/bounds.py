"""How much may come from outside: every bound of what visitors and files send, in one place."""

from warehouse.errors import TooMuch

MOST_BYTES = 1_000_000  # of a body, a list or a file of ratings; 10,000 songs by links are 560,000
MOST_SONGS = 10_000  # of one list, or of all lists of a batch
MOST_RATINGS = 10_000
MOST_REQUESTS = 100  # of a batch
MOST_NEIGHBOURS = 500  # that one request of a batch may want
MOST_PLACES = 500  # of a playlist
MOST_SHOWN = 100  # songs of a search
MOST_TO_RATE = 20
LONGEST_SEARCH = 10_000  # characters of what is typed; of a long text the first count
LONGEST_NAME = 200  # characters of the name of a list, a genre or a song_id
LONGEST_SONG = 1_000  # characters of a song by id or title
LONGEST_SIDE = 300  # characters of one song of a comparison
LONGEST_GROUP = 500  # characters of the name of an artist, a genre or a taste
LONGEST_QUERY = 32_768  # bytes of an address behind its question mark
MOST_PARAMETERS = 100  # of an address, repeated ones too
MOST_FACETS = 8  # that a page of a table counts
MOST_ROWS = 200  # of a table on one page; JSON and CSV have as many as Datasette's settings say
LONGEST_FILTER = 100  # characters that genres are looked up by


def require_short(size: int, name: str) -> None:
    """Refuse what is longer than anybody's library.

    Args:
        size: in bytes.
        name: what the message calls it.

    Raises:
        TooMuch: it is.
    """
    if size > MOST_BYTES:
        raise TooMuch(f"{name} has {size:,} bytes; the limit is {MOST_BYTES:,}. Send less.")
