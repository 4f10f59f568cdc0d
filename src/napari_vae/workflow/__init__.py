"""Whole paths in one call: analyze, apply, advise; their folders and reports."""
