"""Reliability with figures: faults on both back ends under load, and long load. ``make soak``."""
