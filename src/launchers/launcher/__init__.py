"""Find a launcher and run one command there."""
