"""Pages of the inbox."""

from django.http import HttpResponse
from django.shortcuts import render

from inbox.pages.http import AgentRequest, agent_page


@agent_page
def home(request: AgentRequest) -> HttpResponse:
    return render(request, "dexra/base.html")
