import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("inbox", "0003_meta_complete"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="fetch",
            name="fetch_due",
        ),
        migrations.AlterField(
            model_name="fetch",
            name="channel",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="fetches",
                to="inbox.channel",
            ),
        ),
        migrations.AddIndex(
            model_name="fetch",
            index=models.Index(
                fields=["channel", "kind", "due_at", "id"], name="fetch_lane"
            ),
        ),
        migrations.AddField(
            model_name="import",
            name="reached",
            field=models.DateTimeField(
                blank=True, null=True, verbose_name="came back to"
            ),
        ),
    ]
