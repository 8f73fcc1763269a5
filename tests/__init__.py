"""The proofs of the house; `make test` runs them."""
