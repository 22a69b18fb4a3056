import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('channels_meta', '0005_sandbox_accounts_by_id'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='sandboxperson',
            name='sandbox_person_on_channel',
        ),
        migrations.RemoveField(
            model_name='sandboxaccount',
            name='access_token',
        ),
        migrations.RemoveField(
            model_name='sandboxaccount',
            name='channel',
        ),
        migrations.RemoveField(
            model_name='sandboxcall',
            name='channel',
        ),
        migrations.RemoveField(
            model_name='sandboxfault',
            name='channel',
        ),
        migrations.RemoveField(
            model_name='sandboxperson',
            name='channel',
        ),
        migrations.AddConstraint(
            model_name='sandboxaccount',
            constraint=models.UniqueConstraint(fields=('kind', 'external_id'), name='sandbox_account_once'),
        ),
        migrations.AlterField(
            model_name='sandboxperson',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='people', to='channels_meta.sandboxaccount'),
        ),
        migrations.AlterField(
            model_name='sandboxcall',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='calls', to='channels_meta.sandboxaccount'),
        ),
        migrations.AlterField(
            model_name='sandboxfault',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='faults', to='channels_meta.sandboxaccount'),
        ),
    ]
