"""Give hostile inputs to every service: `python -m tests.hostile --count 1000 --seed 1`.

Exit code 1 if one ended in no sentence. The seed is printed; with it, each input is the same again.
"""

import argparse
import atexit
import faulthandler
import logging
import os
import random
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

MEMORY_BYTES = 4 << 30
REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> None:
    options = parse_options()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"hostile: {options.count} inputs, seed {seed}", flush=True)
    faulthandler.enable()
    root = Path(tempfile.mkdtemp(prefix="hostile-"))
    atexit.register(shutil.rmtree, root)  # before multiprocessing, whose own folder is in it, registers its end
    sys.exit(attack_services(root, seed, options.count, options.kinds, options.only))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, help="default: drawn, and printed")
    parser.add_argument("--kinds", nargs="+", help="default: all, in turn")
    parser.add_argument("--only", type=int, nargs="+", help="numbers of inputs, to see them again")
    return parser.parse_args()


def attack_services(root: Path, seed: int, count: int, kinds: Sequence[str] | None, only: Sequence[int] | None) -> int:
    """Confine this process to `root` and give it the inputs. Returns the exit code."""
    home = root / "a" / "b" / "inside"
    home.mkdir(parents=True)
    temporary = home / "tmp"
    temporary.mkdir()
    os.environ.update(TMPDIR=str(temporary), MER_DEVICE="cpu")
    tempfile.tempdir = None
    os.environ["PYTHONPATH"] = str(REPOSITORY)  # children start in another folder
    sys.path[0] = str(REPOSITORY)
    os.chdir(home)

    from tests.hostile.confinement import Surroundings, forbid_network, limit_memory
    from tests.hostile.trials import TRIALS, Trials

    around = Surroundings(root, home)
    if not forbid_network():
        print("this system cannot forbid the network: sockets are not looked at")
    limit_memory(MEMORY_BYTES)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    trials, findings = Trials(home, around), Counter[str]()
    chosen = list(kinds or TRIALS)
    for number in only or range(count):
        kind = chosen[number % len(chosen)]
        print(f"\r{number} {kind}   ", end="", file=sys.stderr, flush=True)  # the last line, should this process end
        try:
            trials.run_trial(kind, random.Random(f"{seed}/{number}"))
        except Exception as error:
            lines = traceback.format_exception(error)
            findings[kind] += 1
            print(f"\ninput {number} ({kind}): {''.join(lines[-4:])[-1800:]}", flush=True)
    return report_findings(trials, around, findings)


def report_findings(trials: "Trials", around: "Surroundings", findings: Counter[str]) -> int:
    """Look at what is left, and print all. Returns the exit code."""
    try:
        trials.check_life()
    except Exception as error:
        findings["life"] += 1
        traceback.print_exception(error)
    trials.close()
    for what, found in (("changed outside", around.describe_changes()), ("holds the secret", around.find_secret())):
        findings[what] += len(found)
        for file in found[:20]:
            print(f"{what}: {file}")
    print()
    for (kind, outcome), number in sorted(trials.outcomes.items()):
        print(f"{kind:16} {outcome:20} {number}")
    print(f"findings: {findings.total()} {dict(+findings) or ''}")
    return 1 if findings.total() else 0


if __name__ == "__main__":
    main()
