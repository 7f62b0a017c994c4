"""Errors of reading captures: each says which file, where, and what to do instead."""


class CaptureError(Exception):
    """A capture that cannot be read at all; the message names file, place and cure."""


class FilterError(CaptureError):
    """A BPF filter that libpcap does not understand."""


class CraftError(CaptureError):
    """A crafted-packet expression that cannot be read; the message points at the place in it."""
