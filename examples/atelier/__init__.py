"""Style pictures of our own making: one module a medium, numpy and Pillow only, the same pixels for the same seed."""
