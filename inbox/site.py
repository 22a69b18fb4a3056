"""Dexra's own AdminSite: Django admin and the inbox pages are one product."""

from django.contrib.admin import AdminSite
from django.utils.translation import gettext_lazy as _


class DexraAdminSite(AdminSite):
    site_header = "Dexra"
    site_title = "Dexra"
    index_title = _("Settings")
    site_url = "/inbox/"
