"""RULE: may this leave? Facts in, Decision out. No I/O, no clock, no randomness."""
