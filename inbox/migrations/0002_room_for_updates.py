from django.db import migrations


class Migration(migrations.Migration):
    """Room on each page for the next version of a row.

    An update that touches no indexed column (sequence, windows, receipts) then leaves the
    table's many indexes alone.
    """

    dependencies = [("inbox", "0001_initial")]

    operations = [
        migrations.RunSQL(
            [
                "alter table inbox_conversation set (fillfactor = 50)",
                "alter table inbox_channelidentity set (fillfactor = 80)",
                "alter table inbox_message set (fillfactor = 90)",
            ],
            [
                "alter table inbox_conversation reset (fillfactor)",
                "alter table inbox_channelidentity reset (fillfactor)",
                "alter table inbox_message reset (fillfactor)",
            ],
        ),
    ]
