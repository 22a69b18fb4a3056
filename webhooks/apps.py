from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebhooksConfig(AppConfig):
    name = "webhooks"
    verbose_name = _("Webhooks")

    def ready(self) -> None:
        from inbox import events, site
        from inbox.pages import banners
        from webhooks import alerts, publishing

        events.emitted.connect(publishing.publish, dispatch_uid="webhooks.publish")
        events.erased.connect(publishing.erase, dispatch_uid="webhooks.erase")
        events.register_keeper("webhooks", publishing.forget_person)
        banners.add_source(alerts.disabled_banner)
        site.add_place(
            site.Place(
                label=_("Webhooks"),
                icon="bolt",
                route="webhooks:endpoints",
                permissions=("webhooks.view_endpoint",),
            )
        )
