"""A baseline shared by two trainings, and an incident retold: how a cache turned +12 % into -42.8 %.

A baseline had been kept under its scenario's *name*. The name stayed when the initial density went from 0.175 to 0.2125,
so the controller on the fuller road was measured against the emptier one.
"""

from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory

from simcache import Cache, cached

cache = Cache(TemporaryDirectory(delete=False).name)
