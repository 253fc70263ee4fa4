"""The one way by which model files come onto this machine, whoever uses them: checkpoints, embedded weights, languages.

A file is written beside its place, hashed as it grows, and moved into place only when it is whole and right.
"""
