"""RULE: entries, the Merkle tree and its checks. See verify.py, which stands alone."""
