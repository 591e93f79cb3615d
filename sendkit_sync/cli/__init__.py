"""The commands, thin: parse, wire up, print, exit."""
