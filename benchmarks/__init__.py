"""Synthetic captures, and how fast they are judged."""
