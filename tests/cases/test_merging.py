"""Cases of people who were taken for one another."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from channels_meta.processing import drain
from inbox.models import Agent, AuditEntry, Channel, ChannelIdentity, Contact, Merge
from tests.conftest import Meta, said

pytestmark = pytest.mark.django_db(transaction=True)


def test_case_45_a_shared_email_merges_nobody_and_a_merge_that_was_wrong_is_undone(
    meta: Meta, messenger: Channel, agent: Agent, agent_client: Client
) -> None:
    agent.user_permissions.add(Permission.objects.get(codename="change_contact"))
    for person in ("7701", "7702"):
        meta.messaging(said("Salam", f"m-{person}", person=person))
    drain()
    salma, karim = Contact.objects.order_by("pk")
    Contact.objects.filter(pk=karim.pk).update(attributes={"Order": "1047"})

    # Both give the address of the shop they work in.
    for one in Contact.objects.order_by("pk"):
        thread = one.identities.get().conversations.get()
        form = {"name": f"Person {one.pk}", "email": "team@example.com"}
        details = {"attribute_name": "Order", "attribute_value": f"10{one.pk}"}
        agent_client.post(f"/inbox/c/{thread.pk}/contact/", {**form, **details})
    assert Contact.objects.filter(merged_into=None).count() == 2

    # An agent takes them for one, and takes it back.
    before = list(Contact.objects.order_by("pk").values("name", "email", "attributes"))
    thread = salma.identities.get().conversations.get()
    agent_client.post(f"/inbox/c/{thread.pk}/merge/{karim.pk}/")
    row = Merge.objects.get()
    meta.messaging(said("And my parcel?", "m-2", person="7702"))
    drain()
    agent_client.post(f"/inbox/c/{thread.pk}/separate/{row.pk}/")

    after = list(Contact.objects.order_by("pk").values("name", "email", "attributes"))
    assert json.dumps(after) == json.dumps(before)
    assert ChannelIdentity.objects.get(external_id="7702").contact == karim
    said_by_karim = karim.identities.get().conversations.get().messages
    assert said_by_karim.filter(direction="in").count() == 2
    acts = AuditEntry.objects.filter(action__in=["contact_merged", "contact_separated"])
    assert acts.count() == 2

    # Two people of the website are never one, whoever says so.
    for number, one in enumerate((salma, karim)):
        Contact.objects.filter(pk=one.pk).update(site_user_id=f"shop-{number}")
    agent_client.post(f"/inbox/c/{thread.pk}/merge/{karim.pk}/")
    assert Merge.objects.standing().count() == 0
