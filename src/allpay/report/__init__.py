"""What a study's results look like to a reader: figures, and summaries in plain words. Nothing is simulated here."""
