"""Launchers and its peers, doing the same work alternately on one machine: tools/bench --help."""
