"""GET and DELETE /v1/contacts/{id}, and the export of one."""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inbox.api.authentication import holder_of
from inbox.api.schema import enveloped, problems
from inbox.contacts import erase_contact, erased_at
from inbox.exports import download
from inbox.models import ChannelIdentity, Contact

logger = logging.getLogger(__name__)

_CONTACT_ID = re.compile(r"USER_(\d{1,18})")


class IdentitySerializer(serializers.Serializer[Any]):
    """Who they are on one channel."""

    id = serializers.CharField(source="public_id")
    channel = serializers.CharField(source="channel.kind")
    account_id = serializers.CharField(source="channel.public_id")
    username = serializers.SerializerMethodField()
    name = serializers.SerializerMethodField()

    def get_username(self, identity: ChannelIdentity) -> str | None:
        return identity.username or None

    def get_name(self, identity: ChannelIdentity) -> str | None:
        return identity.name or None


class ContactSerializer(serializers.Serializer[Any]):
    """A person behind any number of channel ids."""

    id = serializers.CharField(source="public_id")
    name = serializers.SerializerMethodField()
    email = serializers.SerializerMethodField()
    email_verified_at = serializers.DateTimeField()
    phone = serializers.SerializerMethodField()
    phone_verified_at = serializers.DateTimeField()
    site_user_id = serializers.CharField(allow_null=True)
    attributes = serializers.JSONField()
    identities = IdentitySerializer(many=True)
    created_at = serializers.DateTimeField()
    erased_at = serializers.SerializerMethodField()

    def get_name(self, contact: Contact) -> str | None:
        return contact.name or None

    def get_email(self, contact: Contact) -> str | None:
        return contact.email or None

    def get_phone(self, contact: Contact) -> str | None:
        return contact.phone or None

    def get_erased_at(self, contact: Contact) -> datetime | None:
        return erased_at(contact)


def contact_of(contact_id: str) -> Contact:
    """Raises Http404 for an id that is none."""
    found = _CONTACT_ID.fullmatch(contact_id)
    if found is None:
        raise Http404
    contacts = Contact.objects.prefetch_related("identities__channel")
    return get_object_or_404(contacts, pk=found[1])


class ContactDetail(APIView):
    @extend_schema(responses={200: enveloped(ContactSerializer), **problems(401, 404)})
    def get(self, request: Request, contact_id: str) -> Response:
        """One person."""
        return Response({"data": ContactSerializer(contact_of(contact_id)).data})

    @extend_schema(
        responses={202: None, 204: None, **problems(401, 404)},
    )
    def delete(self, request: Request, contact_id: str) -> Response:
        """Forget a person everywhere. 204: it is done. 202: it is being done, and cannot be undone."""
        contact = contact_of(contact_id)
        erasure = erase_contact(contact, None, by_name=holder_of(request).key.name)
        is_done = erasure.finished_at is not None
        return Response(
            status=status.HTTP_204_NO_CONTENT if is_done else status.HTTP_202_ACCEPTED
        )


class ContactExport(APIView):
    @extend_schema(
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "application/zip"): OpenApiTypes.BINARY,
            **problems(401, 404),
        }
    )
    def get(self, request: Request, contact_id: str) -> HttpResponseBase:
        """All that is kept of a person: JSON, or a zip of it and of their files."""
        contact = contact_of(contact_id)
        logger.info(
            "contact.export contact=%s by=%s", contact.pk, holder_of(request).pk
        )
        return download(contact)
