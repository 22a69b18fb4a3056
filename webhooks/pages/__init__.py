"""Pages for whoever connects other software: endpoints, and the log of their deliveries."""
