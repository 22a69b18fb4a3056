from django.urls import URLPattern, re_path

from channels_meta.sandbox import graph

GRAPH = r"^graph/(?P<host>facebook|instagram)/(?P<version>v\d+\.\d+)/(?P<node>[\w.:-]+)"

app_name = "sandbox"
urlpatterns: list[URLPattern] = [
    re_path(rf"{GRAPH}/messages$", graph.send_message, name="graph_messages"),
    re_path(rf"{GRAPH}$", graph.read_node, name="graph_node"),
]
