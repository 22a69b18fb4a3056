"""Meta, pretended: a Graph API, its people, and the events it posts. Only where SANDBOX is on."""
