"""Renders plans and problems as text, JSON, Markdown, HTML and workflow commands. No I/O."""
