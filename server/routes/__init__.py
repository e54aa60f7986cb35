"""HTTP routes: they read the request, ask the service, and choose a dialect. No logic of their own."""
