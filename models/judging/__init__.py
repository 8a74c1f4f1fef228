"""How good lists are: lists and held-out playlists come in, measures go out."""
