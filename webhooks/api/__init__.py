"""Endpoints, deliveries and events by API, in the one shape of `inbox.api`."""
