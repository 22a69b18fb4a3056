"""The door of the connect pages."""

from inbox.pages.http import page_for

# Whoever connects accounts decides whose messages arrive, and holds the keys to them.
connect_page = page_for("inbox.change_channel", "channels_meta.change_credential")
