"""Where every app's urls meet."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from inbox.health import healthz, readyz
from inbox.pages.downloads import show_public

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(url="/inbox/")),
    path("inbox/", include("inbox.pages.urls")),
    path("admin/", admin.site.urls),
    path("files/<str:token>", show_public, name="public_file"),
    path("v1/", include("webhooks.api.urls")),
    path("v1/", include("inbox.api.urls")),
    path("healthz", healthz),
    path("readyz", readyz),
    path("", include("channels_meta.urls")),
    path("", include("webhooks.urls")),
]

if settings.SANDBOX:
    urlpatterns.append(path("sandbox/", include("channels_meta.sandbox.urls")))
