"""`python -m benchmarks`: the table of `benchmarks.bench`."""

from benchmarks.bench import main

main()
