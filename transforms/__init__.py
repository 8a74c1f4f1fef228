"""Polars frame in, Polars frame out; nothing here opens a file."""
