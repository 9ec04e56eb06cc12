"""OAR: what oarnodes prints as facts and offers, OarArgs, states of jobs, submitit's executor."""
