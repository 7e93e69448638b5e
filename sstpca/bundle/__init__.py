"""Bundles: what a user receives."""
