"""Why a packet got its verdict: numbered phases, made from what the engine recorded and from its table.

Nothing here decides anything. A replay is stopped before and behind the packet (`stops`), its columns and
its table are read (`sight`), and words are made of them: the way to the rules (`path`), the table (`table`,
`window`), the rules field by field (`rules`). What another choice would have said, and how much another rule
would admit, further replays tell (`replays`).
"""
