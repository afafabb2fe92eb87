"""What graphgen costs, measured: `make bench` prints a table and writes benchmarks/results/*.json.

Every figure stands beside what it is compared with, taken in the same run; nothing here asserts a time.
"""
