"""Search by title, artist and meaning: songs come in, an index and matches go out."""
