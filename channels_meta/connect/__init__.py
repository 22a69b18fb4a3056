"""Connecting accounts: the logins at Meta, what they offer, and what an admin sees of it."""
