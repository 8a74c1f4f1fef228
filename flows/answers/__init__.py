"""What people are told: a published build and a question come in, plain objects go out.

The command line and the HTTP interface ask the same functions. Nothing is written, and what is
asked lives as long as its answer.
"""
