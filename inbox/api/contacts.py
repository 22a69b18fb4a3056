"""/v1/contacts: list and search, get, create, change, merge, separate, export, erase."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.search import SearchQuery
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.api.authentication import holder_of
from inbox.api.idempotency import idempotent
from inbox.api.ids import row_named, row_or_404
from inbox.api.pagination import ListQuery, name_of, paginate, read_filters
from inbox.api.schema import enveloped, page_of, problems
from inbox.api.views import ApiView
from inbox.audit import note_act
from inbox.contacts import contacts_behind, erase_contact
from inbox.details import clean_phone, create_contact, update_contact
from inbox.errors import StateForbids
from inbox.exports import download
from inbox.merging import MAX_REASON, merge, merges_of, survivor_of, unmerge
from inbox.models import (
    CONTACT_WORDS,
    IDENTITY_WORDS,
    ChannelIdentity,
    Contact,
    Erasure,
    Merge,
    Scope,
)
from inbox.search import prefix_query


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
    """A person behind any number of channel ids; rows of `contacts_shown`."""

    id = serializers.CharField(source="public_id")
    name = serializers.SerializerMethodField()
    email = serializers.SerializerMethodField()
    email_verified_at = serializers.DateTimeField(allow_null=True)
    phone = serializers.SerializerMethodField()
    phone_verified_at = serializers.DateTimeField(allow_null=True)
    site_user_id = serializers.CharField(allow_null=True)
    attributes = serializers.DictField()
    identities = IdentitySerializer(many=True)
    created_at = serializers.DateTimeField()
    erased_at = serializers.DateTimeField(source="forgotten_at", allow_null=True)

    def get_name(self, contact: Contact) -> str | None:
        return contact.name or None

    def get_email(self, contact: Contact) -> str | None:
        return contact.email or None

    def get_phone(self, contact: Contact) -> str | None:
        return contact.phone or None


def contacts_shown() -> QuerySet[Contact]:
    """With all that is told of a contact, in a fixed number of statements."""
    last = (
        Erasure.objects.filter(contact=OuterRef("pk"))
        .order_by("-pk")
        .values("requested_at")[:1]
    )
    rows = Contact.objects.prefetch_related("identities__channel")
    return rows.annotate(forgotten_at=Subquery(last))


def contact_of(contact_id: str) -> Contact:
    """The person behind an id, also behind one that was merged into another.

    Raises Http404 for an id that is none.
    """
    contact = row_or_404(contacts_shown(), contact_id, "USER_")
    if contact.merged_into_id is None:
        return contact
    return contacts_shown().get(pk=survivor_of(contact).pk)


# --- list ----------------------------------------------------------------------------------------


class ContactQuery(ListQuery):
    q = serializers.CharField(
        required=False,
        max_length=100,
        help_text="Words, or beginnings of words, of a name, handle, e-mail or number.",
    )
    email = serializers.EmailField(required=False)
    phone = serializers.CharField(
        required=False, max_length=40, help_text="With its country: +212612345678."
    )
    site_user_id = serializers.CharField(required=False, max_length=200)


def _found(rows: QuerySet[Contact], filters: dict[str, Any]) -> QuerySet[Contact]:
    """filters: as ContactQuery has validated them."""
    if "q" in filters:
        rows = _with_words(rows, filters["q"])
    if "email" in filters:
        rows = rows.filter(email=filters["email"])
    if "phone" in filters:
        rows = rows.filter(phone=clean_phone(filters["phone"]))
    if "site_user_id" in filters:
        rows = rows.filter(site_user_id=filters["site_user_id"])
    return rows


def _with_words(rows: QuerySet[Contact], words: str) -> QuerySet[Contact]:
    """Two sets of ids and no "or": only so is an index taken for each."""
    query = SearchQuery(prefix_query(words), config="simple", search_type="raw")
    if not prefix_query(words):
        return rows.none()
    named = Contact.objects.alias(words=CONTACT_WORDS).filter(words=query)
    called = ChannelIdentity.objects.alias(words=IDENTITY_WORDS).filter(words=query)
    ids = named.order_by().values("pk").union(called.order_by().values("contact"))
    return rows.filter(pk__in=ids)


class DetailsSerializer(serializers.Serializer[Any]):
    """attributes: the business's own details, by name; all of them, in place of those before."""

    name = serializers.CharField(required=False, allow_blank=True, max_length=200)
    email = serializers.CharField(required=False, allow_blank=True, max_length=254)
    phone = serializers.CharField(required=False, allow_blank=True, max_length=40)
    attributes = serializers.DictField(required=False)


class ContactList(ApiView):
    scopes = {"GET": Scope.CONTACTS_READ, "POST": Scope.CONTACTS_WRITE}

    @extend_schema(
        parameters=[ContactQuery],
        responses={200: page_of(ContactSerializer), **problems(422)},
    )
    def get(self, request: Request) -> Response:
        """The newest first; `q` searches."""
        filters = read_filters(request, ContactQuery)
        page = paginate(
            request,
            _found(contacts_shown().filter(merged_into=None), filters),
            moment="created_at",
            name=name_of("contacts", filters),
        )
        return Response(page.as_json(ContactSerializer(page.rows, many=True).data))

    @extend_schema(
        request=DetailsSerializer,
        responses={201: enveloped(ContactSerializer), **problems(409, 422)},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Write down somebody who has not written yet."""
        values = _read_details(request)
        empty = {"name": "", "email": "", "phone": "", "attributes": {}}
        contact = create_contact(by=holder_of(request).key, **{**empty, **values})
        shown = ContactSerializer(contact_of(contact.public_id)).data
        return Response({"data": shown}, status=status.HTTP_201_CREATED)


def _read_details(request: Request) -> dict[str, Any]:
    given = DetailsSerializer(data=request.data)
    given.is_valid(raise_exception=True)
    values: dict[str, Any] = given.validated_data
    return values


# --- one -----------------------------------------------------------------------------------------


class ContactDetail(ApiView):
    scopes = {
        "GET": Scope.CONTACTS_READ,
        "PATCH": Scope.CONTACTS_WRITE,
        "DELETE": Scope.CONTACTS_ERASE,
    }

    @extend_schema(responses={200: enveloped(ContactSerializer), **problems(404)})
    def get(self, request: Request, contact_id: str) -> Response:
        """One person. The id of a contact that was merged answers with whom it became."""
        return Response({"data": ContactSerializer(contact_of(contact_id)).data})

    @extend_schema(
        request=DetailsSerializer,
        responses={200: enveloped(ContactSerializer), **problems(404, 422)},
    )
    def patch(self, request: Request, contact_id: str) -> Response:
        """Change what is given. Another e-mail or phone is not verified."""
        contact = contact_of(contact_id)
        values = _read_details(request)
        with transaction.atomic():
            current = Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
            known = {
                "name": current.name,
                "email": current.email,
                "phone": current.phone,
                "attributes": current.attributes,
            }
            update_contact(
                contact=current, by=holder_of(request).key, **{**known, **values}
            )
        return Response({"data": ContactSerializer(contact_of(contact_id)).data})

    @extend_schema(
        responses={202: None, 204: None, **problems(404)},
    )
    def delete(self, request: Request, contact_id: str) -> Response:
        """Forget a person everywhere. 204: it is done. 202: it is being done, and cannot be undone."""
        contact = contact_of(contact_id)
        erasure = erase_contact(contact, None, by_name=holder_of(request).key.name)
        is_done = erasure.finished_at is not None
        return Response(
            status=status.HTTP_204_NO_CONTENT if is_done else status.HTTP_202_ACCEPTED
        )


class ContactExport(ApiView):
    scopes = {"GET": Scope.CONTACTS_EXPORT}

    @extend_schema(
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "application/zip"): OpenApiTypes.BINARY,
            **problems(404),
        }
    )
    def get(self, request: Request, contact_id: str) -> HttpResponseBase:
        """All that is kept of a person: JSON, or a zip of it and of their files."""
        contact = contact_of(contact_id)
        note_act(holder_of(request).key, "contact_exported", contact)
        return download(contact)


# --- merge, and separate -------------------------------------------------------------------------


class MergeSerializer(serializers.Serializer[Any]):
    """Who became part of whom, by whose word; undone if `undone_at` says when."""

    id = serializers.CharField(source="public_id")
    contact_id = serializers.CharField(
        source="kept.public_id", help_text="The contact that was kept."
    )
    merged_id = serializers.CharField(
        source="gone.public_id", help_text="The contact that became part of it."
    )
    proof = serializers.ChoiceField(choices=Merge.Proof.choices)
    by = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField()
    merged_at = serializers.DateTimeField()
    undone_at = serializers.DateTimeField(allow_null=True)

    def get_by(self, row: Merge) -> str | None:
        return row.by_name or None

    def get_reason(self, row: Merge) -> str | None:
        return row.reason or None


class NewMergeSerializer(serializers.Serializer[Any]):
    contact_id = serializers.RegexField(
        r"^USER_\d{1,18}$", help_text="Who becomes part of this contact."
    )
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_REASON
    )
    take = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        max_length=100,
        help_text=(
            "Where both have a value: whose names are listed here (`name`, `email`, `phone`, "
            "`attributes.<name>`) stay as `contact_id` has them. Without it this contact's stay, "
            "but for a verified e-mail or phone in the place of one that is not."
        ),
    )


class ContactMerge(ApiView):
    scopes = {"POST": Scope.CONTACTS_WRITE}

    @extend_schema(
        request=NewMergeSerializer,
        responses={200: enveloped(MergeSerializer), **problems(404, 409, 422)},
    )
    @idempotent
    def post(self, request: Request, contact_id: str) -> Response:
        """Make another contact part of this one. The same two again: the merge that stands."""
        kept = row_or_404(Contact.objects.all(), contact_id, "USER_")
        given = NewMergeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        gone = row_named(
            Contact.objects.all(), values["contact_id"], "USER_", "contact_id"
        )
        row = merge(
            kept=kept,
            gone=gone,
            by=holder_of(request).key,
            reason=values.get("reason", ""),
            take=values.get("take"),
        )
        return Response({"data": MergeSerializer(row).data})


class ContactUnmerge(ApiView):
    scopes = {"POST": Scope.CONTACTS_WRITE}

    @extend_schema(
        request=None,
        responses={200: enveloped(MergeSerializer), **problems(404, 409)},
    )
    @idempotent
    def post(self, request: Request, contact_id: str) -> Response:
        """Separate a contact from the one that it was merged into. Once more: nothing changes."""
        gone = row_or_404(Contact.objects.all(), contact_id, "USER_")
        last = gone.departures.order_by("-pk").first()
        if last is None:
            raise StateForbids("This contact was never merged into another one.")
        row = unmerge(last, by=holder_of(request).key)
        return Response({"data": MergeSerializer(row).data})


class ContactMerges(ApiView):
    scopes = {"GET": Scope.CONTACTS_READ}

    @extend_schema(
        parameters=[ListQuery],
        responses={200: page_of(MergeSerializer), **problems(404, 422)},
    )
    def get(self, request: Request, contact_id: str) -> Response:
        """All merges of this person, the undone ones too; the newest first."""
        contact = contact_of(contact_id)
        filters = read_filters(request, ListQuery)
        rows = merges_of(contacts_behind(contact.pk)).select_related("kept", "gone")
        page = paginate(
            request,
            rows,
            moment="merged_at",
            name=name_of(f"merges of {contact.pk}", filters),
        )
        return Response(page.as_json(MergeSerializer(page.rows, many=True).data))
