"""The nearest songs: vectors come in, rows and distances go out."""
