"""MEMORY: the only SQL. One module per aggregate."""
