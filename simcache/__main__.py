"""`python -m simcache`: the same as `simcache`."""

from simcache.cli import main

if __name__ == "__main__":
    main()
