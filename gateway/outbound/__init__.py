"""BACK DOOR: the worker, retry and one destination module per transport."""
