import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("channels_meta", "0006_sandbox_without_channels"),
        ("inbox", "0006_attachment_file"),
    ]

    operations = [
        migrations.CreateModel(
            name="JournalMention",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("external_id", models.CharField(max_length=600)),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="inbox.channel",
                    ),
                ),
                (
                    "raw_event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="mentions",
                        to="channels_meta.rawevent",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="journalmention",
            constraint=models.UniqueConstraint(
                fields=("channel", "external_id", "raw_event"),
                name="journal_mention_once",
            ),
        ),
        migrations.CreateModel(
            name="JournalErasure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("external_id", models.CharField(max_length=600)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="inbox.channel",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="journalerasure",
            constraint=models.UniqueConstraint(
                fields=("channel", "external_id"),
                name="journal_erasure_once",
            ),
        ),
    ]
