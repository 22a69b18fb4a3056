from django.urls import URLPattern, path

from inbox.pages import conversations

app_name = "inbox"
urlpatterns: list[URLPattern] = [
    path("", conversations.home, name="home"),
]
