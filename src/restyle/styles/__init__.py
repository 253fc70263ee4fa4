"""Kept styles: a picture and settings under a name. Those that come with Restyle, and those of a data folder."""
