"""The face: HTTP in, the acts of the service, HTTP out. Nothing here decides about models or tokens."""
