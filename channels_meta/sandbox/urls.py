from django.urls import URLPattern, path, re_path

from channels_meta.sandbox import graph, pages

GRAPH = r"^graph/(?P<host>facebook|instagram)/(?P<version>v\d+\.\d+)/(?P<node>[\w.:-]+)"

app_name = "sandbox"
urlpatterns: list[URLPattern] = [
    path("", pages.show_phone, name="phone"),
    path("accounts/", pages.set_up, name="set_up"),
    path("people/", pages.create_person, name="people"),
    path("people/<int:pk>/", pages.refresh_phone, name="refresh"),
    path("people/<int:pk>/skip/", pages.skip, name="skip"),
    path("people/<int:pk>/fail/", pages.fail, name="fail"),
    path("people/<int:pk>/connect/", pages.connect, name="connect"),
    path("people/<int:pk>/<slug:name>/", pages.act, name="act"),
    re_path(rf"{GRAPH}/messages$", graph.send_message, name="graph_messages"),
    re_path(rf"{GRAPH}$", graph.read_node, name="graph_node"),
]
