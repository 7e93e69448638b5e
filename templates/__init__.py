"""Jinja2 templates of everything a user or an administrator receives."""
