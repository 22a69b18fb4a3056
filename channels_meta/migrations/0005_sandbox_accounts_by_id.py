"""What the pretend Meta knew by Dexra's channels, it knows by its own accounts."""

import hashlib
from typing import Any

from django.db import migrations
from django.utils.timezone import now

PAGE_FIELDS = [
    'messages', 'message_deliveries', 'message_echoes', 'message_edits', 'message_reactions',
    'message_reads', 'messaging_handovers', 'messaging_policy_enforcement', 'messaging_postbacks',
    'messaging_referrals', 'standby', 'feed', 'mention',
]
INSTAGRAM_FIELDS = [
    'comments', 'live_comments', 'messages', 'message_echoes', 'message_edit', 'message_reactions',
    'messaging_handover', 'messaging_postbacks', 'messaging_referral', 'messaging_seen', 'standby',
]


def name_accounts(apps: Any, _schema_editor: object) -> None:
    account_model = apps.get_model('channels_meta', 'SandboxAccount')
    token_model = apps.get_model('channels_meta', 'SandboxToken')
    for account in account_model.objects.select_related('channel'):
        channel = account.channel
        is_instagram = channel.kind == 'instagram'
        account.kind = channel.kind
        account.external_id = channel.external_id
        account.name = channel.name
        account.username = channel.username
        account.subscribed_fields = INSTAGRAM_FIELDS if is_instagram else PAGE_FIELDS
        account.subscribed_by = 'instagram' if is_instagram else 'facebook'
        account.save()
        if account.access_token:
            token_model.objects.create(
                digest=hashlib.sha256(account.access_token.encode()).hexdigest(),
                kind='instagram' if is_instagram else 'page',
                account=account,
                issued_at=now(),
            )
        for name in ('SandboxPerson', 'SandboxCall', 'SandboxFault'):
            rows = apps.get_model('channels_meta', name).objects
            rows.filter(channel_id=account.channel_id).update(account=account)
    for name in ('SandboxPerson', 'SandboxCall', 'SandboxFault'):
        apps.get_model('channels_meta', name).objects.filter(account=None).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('channels_meta', '0004_sandbox_stands_alone'),
    ]

    operations = [
        migrations.RunPython(name_accounts, migrations.RunPython.noop),
    ]
