"""Each command from its words to its result, in a module of its name: open, judge, count, write."""
