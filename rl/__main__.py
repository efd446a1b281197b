"""`python -m rl`: the command line."""

from rl.cli import main

if __name__ == "__main__":
    main()
