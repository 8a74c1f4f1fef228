"""The demo catalogue: a seed comes in, files of invented songs go out."""
