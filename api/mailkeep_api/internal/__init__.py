"""Endpoints for Mailkeep's own services."""
