"""A cached function: each call is computed once, and computed again only if an argument or the code has changed."""

from tempfile import TemporaryDirectory

from simcache import Cache, cached

folder = TemporaryDirectory()  # a store of this example's own; without `cache=` it would be the project's, or the user's
computed: list[tuple[float, float]] = []


@cached(cache=Cache(folder.name), ignore=("quiet",))
def travel_time(length: float, speed: float = 12.5, *, quiet: bool = True) -> float:
    """How many seconds a road takes; stands for an hour of work."""
    computed.append((length, speed))
    if not quiet:
        print("  computing")
    return length / speed


assert travel_time(500.0) == 40.0
assert travel_time(500.0) == 40.0
assert len(computed) == 1
print("two equal calls: computed once")

assert travel_time(length=500.0) == travel_time(500.0, 12.5) == travel_time(500.0, quiet=False) == 40.0
assert len(computed) == 1
print("by name, with the default written out, with another ignored argument: still the same call")

explanation = travel_time.explain(500.0, speed=10.0)
assert not explanation.hit
assert str(explanation.differences[0]) == "speed: 10.0, was 12.5"
print(f"another argument is no hit: {explanation.differences[0]}")

assert travel_time(500.0, speed=10.0) == 50.0
assert travel_time(500) == 40.0
assert len(computed) == 3
print("500 and 500.0 are two arguments: equal, but not the same to the code that gets them")

entry = travel_time.entry(500.0)
assert entry is not None
assert entry.key == travel_time.key(500.0)
print(f"each result says who made it: Python {entry.made.python}, simcache {entry.made.simcache}, in {entry.made.seconds:.6f} s")

assert travel_time.forget(500.0) == 1
assert travel_time(500.0) == 40.0
assert len(computed) == 4
assert travel_time.compute(500.0) == 40.0
assert len(computed) == 5
print("forget() deletes a result here, compute() is the function without its cache")
