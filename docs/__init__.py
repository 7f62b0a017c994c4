"""The documents that are made from the tables in the source: `python -m docs.generate`."""
