"""Attacks on real runs, and the truth about what they did to them: tools/chaos."""
