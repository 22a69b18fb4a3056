from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("inbox", "0004_fetch_lanes"),
    ]

    operations = [
        migrations.AddField(
            model_name="channelidentity",
            name="coming_window",
            field=models.DurationField(
                blank=True, null=True, verbose_name="coming window"
            ),
        ),
    ]
