"""VPC Flow Log records from a replay, and a comparison with those that AWS wrote. docs/flowlog.md."""
