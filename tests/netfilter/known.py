"""Where the engine is known not to do as the kernel does: recorded cases, each with the reason."""

KNOWN_DISAGREEMENTS = {
    "live_atomic_fragment_with_a_known_id": "a whole datagram with a fragment header is never put to a waiting one",
}
