"""Reports as people read them: the terminal, and the progress line before it."""
