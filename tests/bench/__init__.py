"""Benchmarks: `make bench`. No part of the test run; read ratios, not absolutes."""
