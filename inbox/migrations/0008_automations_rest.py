from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inbox", "0007_erasures")]

    operations = [
        migrations.AddField(
            model_name="channel",
            name="automation_blocked_until",
            field=models.DateTimeField(
                blank=True, null=True, verbose_name="automations rest until"
            ),
        ),
    ]
