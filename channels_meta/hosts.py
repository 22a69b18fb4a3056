"""Where Meta is: its dialogs for people and its APIs for us; or the sandbox's of both."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Hosts:
    """Addresses without a slash at the end.

    facebook_dialog: of Facebook Login, for a browser; the version and /dialog/oauth follow.
    facebook_graph, instagram_graph: the version (where one is used) and the path follow.
    instagram_dialog: of Instagram Login, for a browser; /oauth/authorize follows.
    instagram_tokens: exchanges Instagram Login's code; /oauth/access_token follows.
    """

    facebook_dialog: str = "https://www.facebook.com"
    facebook_graph: str = "https://graph.facebook.com"
    instagram_dialog: str = "https://www.instagram.com"
    instagram_tokens: str = "https://api.instagram.com"
    instagram_graph: str = "https://graph.instagram.com"


META = Hosts()


def sandbox_hosts() -> Hosts:
    """The pretend Meta inside this installation. People reach it where they reach Dexra."""
    ours = f"http://127.0.0.1:{settings.PORT}/sandbox"
    return Hosts(
        facebook_dialog=f"{settings.PUBLIC_URL}/sandbox/login/facebook",
        facebook_graph=f"{ours}/graph/facebook",
        instagram_dialog=f"{settings.PUBLIC_URL}/sandbox/login/instagram",
        instagram_tokens=f"{ours}/login/instagram",
        instagram_graph=f"{ours}/graph/instagram",
    )


def login_hosts() -> Hosts:
    """Where an account is connected: an installation that plays has only pretend ones."""
    return sandbox_hosts() if settings.SANDBOX else META
