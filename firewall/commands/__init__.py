"""Commands of their own, and the words and the output that all commands share. `firewall.cli` puts them together."""
