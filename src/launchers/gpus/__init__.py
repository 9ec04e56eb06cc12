"""The catalogue of GPUs, and what their drivers say."""
