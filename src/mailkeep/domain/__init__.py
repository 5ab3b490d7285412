"""Frozen dataclasses and pure rules; no input or output."""
