"""The tracker's answer for one packet, in the kernel's words (`ct state`, nf_conntrack_common.h)."""

NO_STATE, NEW, ESTABLISHED, RELATED, INVALID, UNTRACKED = 0, 1, 2, 3, 4, 5
CT_STATES = ("", "NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
