"""Fakes and samples that we ship for tests."""
