"""What the gateway costs beside a bare proxy and nginx: `python -m bench` (docs/performance.md says how to read it).

Three kinds of process, all on loopback: the subjects (one CPU), the scripted upstream and the load driver (another).
"""
