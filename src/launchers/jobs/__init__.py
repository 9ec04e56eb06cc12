"""What a scheduler must give, and the states of jobs."""
