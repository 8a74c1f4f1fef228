"""Arrays in, arrays out: encoder, neighbours and ranking; nothing here opens a file."""
