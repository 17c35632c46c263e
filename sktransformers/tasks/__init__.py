"""Kinds of work: what the targets are and what the outputs mean."""
