"""Official draws: feeds, files, imports, deletion and the randomness report."""
