"""The API's routes, a resource each."""
