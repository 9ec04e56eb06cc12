"""How many small changes of the code do the tests of a room notice? See __main__."""
