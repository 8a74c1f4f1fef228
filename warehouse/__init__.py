"""The tables that are promised, and every byte that touches a disk."""
