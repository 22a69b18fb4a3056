"""Measures the hot paths beside a baseline in the same run; ratios are judged, not times."""
