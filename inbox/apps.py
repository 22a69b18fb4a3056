from django.apps import AppConfig
from django.contrib.admin import autodiscover
from django.contrib.admin.apps import SimpleAdminConfig
from django.utils.translation import gettext_lazy as _


class InboxConfig(AppConfig):
    default = True
    name = "inbox"
    verbose_name = _("Inbox")

    def ready(self) -> None:
        from inbox import history, rights
        from inbox.api import idempotency
        from inbox.events import emitted, erased, register_keeper

        emitted.connect(history.check_reconnected)
        erased.connect(idempotency.erase)
        register_keeper("api", idempotency.forget_person)
        rights.watch()


class AdminConfig(SimpleAdminConfig):
    """Django's admin, on Dexra's own site: one sign-in and one rail for inbox and admin."""

    default_site = "inbox.site.DexraAdminSite"

    def ready(self) -> None:
        super().ready()
        autodiscover()
