"""NOUNS: identifiers, the model, the lifecycle and the directory. No I/O of any kind."""
