"""What goes to stderr: messages, the log and errors."""
