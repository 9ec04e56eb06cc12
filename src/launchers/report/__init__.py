"""What a run used: advice on what to ask for, and one HTML page about the run."""
