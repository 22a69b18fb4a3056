from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChannelsMetaConfig(AppConfig):
    name = "channels_meta"
    verbose_name = _("Instagram and Messenger")

    def ready(self) -> None:
        from channels_meta import duties, incidents, redaction
        from channels_meta.adapters import InstagramAdapter, MessengerAdapter
        from inbox import channels, events, retention, site

        channels.register(InstagramAdapter())
        channels.register(MessengerAdapter())
        events.emitted.connect(incidents.notice_events, dispatch_uid="incidents")
        site.add_place(
            site.Place(
                label=_("Channels"),
                icon="plug",
                route="channels_meta:accounts",
                permissions=("inbox.change_channel", "channels_meta.change_credential"),
                invites=_("Connect an account"),
            )
        )
        events.erased.connect(redaction.queue_messages, dispatch_uid="journal.erase")
        events.register_keeper("journal", redaction.forget_person)
        for rule in duties.RETENTION:
            retention.register_rule(rule)
