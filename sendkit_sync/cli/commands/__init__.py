"""The commands: each parses, calls, prints and gives the exit code."""
