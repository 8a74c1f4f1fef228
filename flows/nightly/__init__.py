"""The night: settings come in, a published build goes out."""
