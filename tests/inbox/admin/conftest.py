"""The admin is looked at with the same messages as the pages."""

from tests.inbox.pages.conftest import say

__all__ = ["say"]
