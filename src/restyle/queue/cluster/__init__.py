"""The life of a task on many machines: PostgreSQL holds the records, Procrastinate wakes whoever is free.

A job of Procrastinate is committed with each task and is a call, not the work: a machine with a free worker takes it,
and then claims the task whose turn it is among those that it can draw (:mod:`restyle.queue.cluster.claims`). A claim
belongs to a machine, and a machine is there as long as it is heard (:mod:`restyle.queue.cluster.membership`).
"""
