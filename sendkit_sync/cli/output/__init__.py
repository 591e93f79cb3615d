"""Output: results on stdout; messages, the log and errors on stderr."""
