"""Songs as vectors: what is known of songs comes in, a fitted pipeline goes out."""
