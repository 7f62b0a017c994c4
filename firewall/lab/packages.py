"""What the lab needs besides eniwall's own packages; imported before anything else of the lab."""

import shlex
import sys

from firewall.errors import UsageError


def check_packages() -> None:
    """Raise UsageError, with the cure, where starlette or uvicorn is missing."""
    try:
        import starlette  # noqa: F401  (only to see that it is there)
        import uvicorn  # noqa: F401  (the same)
    except ImportError:
        install = shlex.join([sys.executable, "-m", "pip", "install", "starlette", "uvicorn"])
        raise UsageError(
            f"the lab needs the packages starlette and uvicorn; install them where eniwall runs: {install}"
        ) from None
