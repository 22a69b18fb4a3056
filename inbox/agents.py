"""Who signs in, loaded with what they may do and how they want to work: every page needs both."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend
from django.db import connection

from inbox.models import Agent, Preferences

_AGENT = [field.attname for field in Agent._meta.concrete_fields]
_PREFERENCES = [field.attname for field in Preferences._meta.concrete_fields]

# By hand: Django's own way is four statements with each request.
_LOAD = f"""
select {", ".join(f"a.{name}" for name in _AGENT)}, {", ".join(f"p.{name}" for name in _PREFERENCES)},
    array(select c.app_label || '.' || r.codename from auth_permission r
        join django_content_type c on c.id = r.content_type_id where a.is_superuser
        or r.id in (select permission_id from inbox_agent_user_permissions where agent_id = a.id)
        or r.id in (select g.permission_id from auth_group_permissions g
            join inbox_agent_groups m on m.group_id = g.group_id where m.agent_id = a.id))
from inbox_agent a left join inbox_preferences p on p.agent_id = a.id where a.id = %s
"""  # noqa: S608 - names of our own columns


class AgentBackend(ModelBackend):
    def get_user(self, user_id: int) -> Agent | None:
        with connection.cursor() as cursor:
            cursor.execute(_LOAD, [user_id])
            row = cursor.fetchone()
        if row is None:
            return None
        agent = _read(row)
        return agent if self.user_can_authenticate(agent) else None


def _read(row: tuple[object, ...]) -> Agent:
    alias, size = connection.alias, len(_AGENT)
    agent = Agent.from_db(alias, _AGENT, row[:size])
    # Where ModelBackend itself keeps what it has found.
    agent._perm_cache = set(row[-1])  # type: ignore[attr-defined, call-overload]
    if row[size] is not None:
        agent.preferences = Preferences.from_db(alias, _PREFERENCES, row[size:-1])
    else:
        agent._state.fields_cache["preferences"] = None
    return agent
