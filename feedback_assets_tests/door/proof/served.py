"""`python -m feedback_assets_tests.door.proof.served --port N shop`: the door, as it is or broken.

The broken doors show that the proofs see what they claim to see.
"""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

from feedback_assets.config.load import load_loop
from feedback_assets.errors import FeedbackAssetsError
from feedback_assets.settings import Settings
from feedback_assets_tests.door.proof import mutants


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("loops", nargs="+")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mutant")
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    said = parser.parse_args()
    if said.mutant:
        mutate: Callable[[], None] = getattr(mutants, said.mutant)
        mutate()
    # What is broken must be broken before it is imported.
    from feedback_assets.door.server import ServerOptions, run

    settings = Settings()
    paths = {loop: settings.configs / "loops" / f"{loop}.yaml" for loop in said.loops}
    configs = {loop: load_loop(path, {}) for loop, path in paths.items()}
    options = ServerOptions(port=said.port, tls_cert=said.tls_cert, tls_key=said.tls_key)
    try:
        run(configs, settings, options)
    except FeedbackAssetsError as error:
        logging.getLogger(__name__).error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
