"""The Studio: the web page of Restyle, a door for people to :mod:`restyle.conversion`.

Its form is read from the same declarations as the wire's schema, its uploads go through the same limits and checkers as
the wire's pictures, and its tasks are accepted by the same function. Nothing here is imported unless
``restyle serve`` offers the page.
"""
