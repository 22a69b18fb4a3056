from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inbox", "0005_coming_window")]

    operations = [
        migrations.AddIndex(
            model_name="attachment",
            index=models.Index(
                condition=models.Q(("file", ""), _negated=True),
                fields=["file"],
                name="attachment_file",
            ),
        ),
    ]
