"""Does the broker agree with a real slurmctld?  `tools/oracle --help` says how it is asked, and what it cannot see."""
