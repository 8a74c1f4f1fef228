"""Builds and recipes held against playlists: builds come in, measures go out."""
