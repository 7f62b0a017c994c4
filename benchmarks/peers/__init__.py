"""Whom eniwall is measured against: a limit in C, and loops in Python as one would write them."""
