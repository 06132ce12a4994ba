"""Feeds malformed files, records and arguments to every command, and counts how the commands answer.

``python -m tests.fuzz --inputs 2400 --seed 0 --jobs 2`` runs the full part.
"""
