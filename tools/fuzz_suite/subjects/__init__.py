"""What is fuzzed.  A subject is a module of this folder; `tools/fuzz NAME` and the fast tests find it by its name.

It has

    EXPECTED           the exceptions that bad input may raise: anything else is a failure
    corpus()           inputs to start from, as bytes; real ones, made as launchers makes them
    check(data, folder)    read one input; `folder` is empty and the subject's own

and where the defaults do not fit

    mutate(chance, corpus)    one input made of the corpus with a random.Random (default: mutations.mutate_json)
    SECONDS            of CPU time that one check may take (default: 2)
"""
