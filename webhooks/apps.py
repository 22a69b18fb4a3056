from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebhooksConfig(AppConfig):
    name = "webhooks"
    verbose_name = _("Webhooks")

    def ready(self) -> None:
        from inbox import events
        from webhooks import publishing

        events.emitted.connect(publishing.publish, dispatch_uid="webhooks.publish")
        events.erased.connect(publishing.erase, dispatch_uid="webhooks.erase")
        events.register_keeper("webhooks", publishing.forget_person)
