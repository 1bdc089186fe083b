"""`python -m sciml`: the command `sciml`, for programs that start a module, such as `torchrun`."""

from sciml.cli import main

if __name__ == "__main__":
    main()
