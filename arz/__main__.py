"""`python -m arz`: the command line."""

from arz.cli import main

if __name__ == "__main__":
    main()
