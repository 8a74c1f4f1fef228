"""Who would rate what, and how: ratings come in, predictions go out."""
