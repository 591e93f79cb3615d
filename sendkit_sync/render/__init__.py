"""How plans and problems are shown: text, JSON, Markdown, HTML and workflow commands. No I/O."""
