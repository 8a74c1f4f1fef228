"""What other services know comes in as snapshots, and lists go out to them.

A build opens no connection: it reads what a fetch has written, as it reads any file.
"""
