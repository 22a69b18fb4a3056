"""Endpoints, events and deliveries in the admin."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inbox.events import EventName
from inbox.models import Agent
from webhooks import endpoints
from webhooks.forms import EndpointForm, say_resent
from webhooks.models import (
    Delivery,
    DeliveryAttempt,
    Endpoint,
    Event,
)


class EndpointAdminForm(EndpointForm):
    class Meta(EndpointForm.Meta):
        widgets = {"url": forms.URLInput(attrs={"class": "vURLField"})}


class BoundedPaginator(Paginator[Any]):
    """Counts no further than people page: millions of rows would take seconds to count."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return rows[: self.most].count()


class ReadOnly:
    """Rows that nobody makes or changes by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin[Endpoint]):
    form = EndpointAdminForm
    list_display = ["__str__", "url", "status", "failing_since", "see_deliveries"]
    list_filter = ["status"]
    search_fields = ["url", "description"]
    readonly_fields = [
        "status",
        "status_reason",
        "failures",
        "failing_since",
        "breaker_until",
        "previous_secret_until",
        "created_at",
        "see_deliveries",
    ]
    actions = [
        "send_ping",
        "send_samples",
        "rotate_secret",
        "rotate_secret_in_a_week",
        "rotate_secret_at_once",
        "reveal_secret",
        "pause",
        "resume",
        "resume_from_now",
        "recover",
    ]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Endpoint | None = None
    ) -> list[str]:
        return [] if obj is None else self.readonly_fields

    @admin.display(description=gettext_lazy("deliveries"))
    def see_deliveries(self, endpoint: Endpoint) -> SafeString:
        url = reverse("admin:webhooks_delivery_changelist")
        return format_html(
            '<a href="{}?endpoint__id__exact={}">{}</a>',
            url,
            endpoint.pk,
            _("Deliveries"),
        )

    # --- the secret ------------------------------------------------------------------------------

    def response_add(
        self, request: HttpRequest, obj: Endpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        if "_popup" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        return self._show_secret(request, obj, obj.secret)

    def _show_secret(
        self, request: HttpRequest, endpoint: Endpoint, secret: str
    ) -> HttpResponse:
        """The one answer in which a secret is shown; nobody keeps it."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("Signing secret"),
            "opts": self.opts,
            "endpoint": endpoint,
            "secret": secret,
            "overlap": endpoint.previous_secret_until,
        }
        response = TemplateResponse(request, "admin/webhooks/secret.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    @admin.action(
        description=gettext_lazy("Make a new secret (the present one works for a day)"),
        permissions=["change"],
    )
    def rotate_secret(
        self, request: HttpRequest, queryset: QuerySet[Endpoint]
    ) -> HttpResponse | None:
        return self._rotate(request, queryset, endpoints.ROTATION_OVERLAP)

    @admin.action(
        description=gettext_lazy(
            "Make a new secret (the present one works for 7 days)"
        ),
        permissions=["change"],
    )
    def rotate_secret_in_a_week(
        self, request: HttpRequest, queryset: QuerySet[Endpoint]
    ) -> HttpResponse | None:
        return self._rotate(request, queryset, endpoints.LONGEST_OVERLAP)

    @admin.action(
        description=gettext_lazy("Make a new secret (the present one ends now)"),
        permissions=["change"],
    )
    def rotate_secret_at_once(
        self, request: HttpRequest, queryset: QuerySet[Endpoint]
    ) -> HttpResponse | None:
        return self._rotate(request, queryset, timedelta(0))

    @admin.action(
        description=gettext_lazy("Show the secret (this is written down)"),
        permissions=["change"],
    )
    def reveal_secret(
        self, request: HttpRequest, queryset: QuerySet[Endpoint]
    ) -> HttpResponse | None:
        endpoint = self._only_one(request, queryset)
        if endpoint is None:
            return None
        secret = endpoints.reveal_secret(endpoint, by=cast("Agent", request.user))
        return self._show_secret(request, endpoint, secret)

    def _rotate(
        self, request: HttpRequest, queryset: QuerySet[Endpoint], overlap: timedelta
    ) -> HttpResponse | None:
        endpoint = self._only_one(request, queryset)
        if endpoint is None:
            return None
        by = cast("Agent", request.user)
        secret = endpoints.rotate_secret(endpoint, by=by, overlap=overlap)
        endpoint.refresh_from_db()
        return self._show_secret(request, endpoint, secret)

    def _only_one(
        self, request: HttpRequest, queryset: QuerySet[Endpoint]
    ) -> Endpoint | None:
        chosen = list(queryset[:2])
        if len(chosen) == 1:
            return chosen[0]
        text = _("Choose one endpoint: its secret is shown once.")
        self.message_user(request, text, messages.ERROR)
        return None

    # --- other actions ---------------------------------------------------------------------------

    @admin.action(description=gettext_lazy("Send a ping"), permissions=["change"])
    def send_ping(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        for endpoint in queryset:
            delivery = endpoints.ping(endpoint)
            url = reverse("admin:webhooks_delivery_change", args=[delivery.pk])
            self.message_user(
                request,
                format_html(
                    '{} <a href="{}">{}</a>', _("A ping is on its way."), url, endpoint
                ),
            )

    @admin.action(
        description=gettext_lazy("Send a sample of every event it chose"),
        permissions=["change"],
    )
    def send_samples(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        for endpoint in queryset:
            for name in endpoint.events or EventName:
                endpoints.send_sample(endpoint, EventName(name))
        self.message_user(request, _("The samples are on their way."))

    @admin.action(
        description=gettext_lazy("Pause: events wait"), permissions=["change"]
    )
    def pause(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        for endpoint in queryset:
            endpoints.pause(endpoint, by=cast("Agent", request.user))

    @admin.action(
        description=gettext_lazy("Resume, sending what has waited"),
        permissions=["change"],
    )
    def resume(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        for endpoint in queryset:
            endpoints.resume(endpoint, by=cast("Agent", request.user))

    @admin.action(
        description=gettext_lazy("Resume from now on, without what has waited"),
        permissions=["change"],
    )
    def resume_from_now(
        self, request: HttpRequest, queryset: QuerySet[Endpoint]
    ) -> None:
        for endpoint in queryset:
            endpoints.resume(
                endpoint, by=cast("Agent", request.user), skip_waiting=True
            )

    @admin.action(
        description=gettext_lazy("Send again what was missed in the last 14 days"),
        permissions=["change"],
    )
    def recover(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        count = sum(endpoints.recover(endpoint).count for endpoint in queryset)
        self.message_user(request, say_resent(count))

    # --- deleting --------------------------------------------------------------------------------

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """Endpoints by name; their deliveries, which may be very many, as a number."""
        chosen = list(objs)
        owed = Delivery.objects.filter(endpoint__in=chosen).count()
        counts = {
            str(Endpoint._meta.verbose_name_plural): len(chosen),
            str(Delivery._meta.verbose_name_plural): owed,
        }
        allowed = self.has_delete_permission(request)
        missing = set() if allowed else {str(Endpoint._meta.verbose_name)}
        return [str(endpoint) for endpoint in chosen], counts, missing, []

    def delete_model(self, request: HttpRequest, obj: Endpoint) -> None:
        endpoints.delete(obj, by=cast("Agent", request.user))

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[Endpoint]
    ) -> None:
        for endpoint in queryset:
            endpoints.delete(endpoint, by=cast("Agent", request.user))


def _in_inbox(conversation_id: int | None) -> SafeString | str:
    """A link to the conversation's inbox page."""
    if conversation_id is None:
        return ""
    url = reverse("inbox:conversation", args=["all", conversation_id])
    return format_html('<a href="{}">{}</a>', url, conversation_id)


@admin.register(Event)
class EventAdmin(ReadOnly, admin.ModelAdmin[Event]):
    list_display = ["id", "name", "see_conversation", "sequence", "occurred_at"]
    list_filter = ["name"]
    search_fields = ["id__exact", "conversation__id__exact"]
    search_help_text = gettext_lazy(
        "An event's id (evt_...) or a conversation's number"
    )
    ordering = ["-id"]
    paginator = BoundedPaginator
    show_full_result_count = False
    fields = [
        "id",
        "name",
        "see_conversation",
        "sequence",
        "occurred_at",
        "created_at",
        "erased_at",
        "see_body",
        "see_deliveries",
    ]

    @admin.display(description=gettext_lazy("conversation"))
    def see_conversation(self, event: Event) -> SafeString | str:
        return _in_inbox(event.conversation_id)

    @admin.display(description=gettext_lazy("body"))
    def see_body(self, event: Event) -> SafeString:
        text = json.dumps(json.loads(bytes(event.body)), ensure_ascii=False, indent=2)
        return format_html('<pre dir="ltr">{}</pre>', text)

    @admin.display(description=gettext_lazy("deliveries"))
    def see_deliveries(self, event: Event) -> SafeString:
        url = reverse("admin:webhooks_delivery_changelist")
        return format_html(
            '<a href="{}?event__id__exact={}">{}</a>', url, event.pk, _("Deliveries")
        )


class AttemptInline(ReadOnly, admin.TabularInline[DeliveryAttempt, Delivery]):
    model = DeliveryAttempt
    extra = 0
    fields = (
        "number",
        "started_at",
        "duration_ms",
        "status",
        "error",
        "see_request_headers",
        "see_response",
    )
    readonly_fields = fields

    @admin.display(description=gettext_lazy("headers that were sent"))
    def see_request_headers(self, attempt: DeliveryAttempt) -> SafeString:
        lines = [f"{name}: {value}" for name, value in attempt.request_headers.items()]
        return format_html('<pre dir="ltr">{}</pre>', "\n".join(lines))

    @admin.display(description=gettext_lazy("answer"))
    def see_response(self, attempt: DeliveryAttempt) -> SafeString:
        return format_html('<pre dir="ltr">{}</pre>', attempt.response)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly, admin.ModelAdmin[Delivery]):
    list_display = [
        "id",
        "event_name",
        "endpoint",
        "state",
        "attempts",
        "last_status",
        "see_error",
        "see_conversation",
        "created_at",
    ]
    list_filter = ["state", "endpoint", "event__name"]
    list_select_related = ["event", "endpoint"]
    search_fields = ["event__id__exact", "conversation_id__exact"]
    search_help_text = gettext_lazy(
        "An event's id (evt_...) or a conversation's number"
    )
    ordering = ["-id"]
    paginator = BoundedPaginator
    show_full_result_count = False
    inlines = [AttemptInline]
    fields = [
        "see_event",
        "endpoint",
        "see_conversation",
        "state",
        "attempts",
        "next_attempt_at",
        "last_status",
        "see_error",
        "created_at",
        "settled_at",
    ]
    actions = ["resend"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).defer("event__body")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """`?event__id__exact=` is how an event's page leads here."""
        return lookup == "event__id__exact" or super().lookup_allowed(
            lookup, value, request
        )

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("webhooks.change_delivery")

    @admin.display(description=gettext_lazy("event"), ordering="event__name")
    def event_name(self, delivery: Delivery) -> str:
        return delivery.event.name

    @admin.display(description=gettext_lazy("event"))
    def see_event(self, delivery: Delivery) -> SafeString:
        url = reverse("admin:webhooks_event_change", args=[delivery.event_id])
        return format_html('<a href="{}">{}</a>', url, delivery.event)

    @admin.display(description=gettext_lazy("error"))
    def see_error(self, delivery: Delivery) -> str:
        return delivery.failure_sentence

    @admin.display(description=gettext_lazy("conversation"))
    def see_conversation(self, delivery: Delivery) -> SafeString | str:
        return _in_inbox(delivery.conversation_id)

    @admin.action(description=gettext_lazy("Send again"), permissions=["resend"])
    def resend(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        resent = endpoints.resend(queryset)
        self.message_user(request, say_resent(resent.count))
