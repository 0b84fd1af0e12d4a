"""`python -m outlay` is the command line."""

from outlay.main import app

if __name__ == "__main__":
    app()
