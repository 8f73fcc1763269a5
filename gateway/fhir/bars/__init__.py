"""BaRS messages: what a message says it is, whether it may be so, and its answer."""
