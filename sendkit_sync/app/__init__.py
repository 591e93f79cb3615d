"""The use cases: what a command, a job or a caller of the library can have done. Nothing is printed here."""
