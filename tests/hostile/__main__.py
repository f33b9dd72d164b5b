"""Give hostile inputs to every service: `python -m tests.hostile --count 1000 --seed 1`.

Exit code 1 if one ended in no sentence. The seed is printed; with it, each input is the same again.
"""

import argparse
import faulthandler
import logging
import os
import random
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path

from merstream.single_thread import THREAD_COUNT_VARIABLES
from tests.hostile.confinement import Surroundings, forbid_network, limit_memory

MEMORY_BYTES = 4 << 30  # of private data of this process, and of each child
REPOSITORY = Path(__file__).resolve().parents[2]
PRESENT_INPUT = "present-input"  # file that names the input in work, should it end the process


def main() -> None:
    options = parse_options()
    sys.exit(attack_services(options) if options.root else confine_attack(options))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000), help="default: drawn")
    parser.add_argument("--kinds", nargs="+", help="default: all, in turn")
    parser.add_argument("--only", type=int, nargs="+", help="numbers of inputs, to see them again")
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def confine_attack(options: argparse.Namespace) -> int:
    """Run the inputs in a process of their own, in a folder of their own. Returns the exit code."""
    print(f"hostile: {options.count} inputs, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="hostile-") as root, tempfile.TemporaryFile() as said:
        home = Path(root) / "a" / "b" / "inside"
        (home / "tmp").mkdir(parents=True)
        more = {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(home / "tmp"), "MER_DEVICE": "cpu"}
        environment = {**os.environ, **dict.fromkeys(THREAD_COUNT_VARIABLES, "1"), **more}
        command = [sys.executable, "-m", "tests.hostile", *sys.argv[1:], f"--seed={options.seed}", f"--root={root}"]
        code = subprocess.run(command, cwd=home, env=environment, stderr=said).returncode
        if code not in (0, 1):
            said.seek(0)
            print(said.read().decode(errors="replace")[-5000:])
            print(f"the process ended with exit code {code} at input {(home / PRESENT_INPUT).read_text()}")
        return 1 if code else 0


def attack_services(options: argparse.Namespace) -> int:
    """Give this process, and so the services in it, the inputs. Returns the exit code."""
    from tests.hostile.trials import TRIALS, Trials  # here: the process that confines needs no service

    home, findings = Path.cwd(), Counter[str]()
    around = Surroundings(options.root, home)
    faulthandler.enable()
    if not forbid_network():
        print("this system cannot forbid the network: sockets are not looked at")
    limit_memory(MEMORY_BYTES)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    trials, kinds = Trials(home, around), options.kinds or list(TRIALS)
    for number in options.only or range(options.count):
        kind = kinds[number % len(kinds)]
        (home / PRESENT_INPUT).write_text(f"{number} ({kind})")
        try:
            trials.run_trial(kind, random.Random(f"{options.seed}/{number}"))
        except Exception as error:
            findings[kind] += 1
            print(f"\ninput {number} ({kind}): {''.join(traceback.format_exception(error)[-4:])[-1800:]}", flush=True)
    try:
        trials.check_life()
    except Exception as error:
        findings["life"] += 1
        print("".join(traceback.format_exception(error)))
    trials.close()
    for what, found in (("changed outside", around.describe_changes()), ("holds the secret", around.find_secret())):
        findings[what] += len(found)
        for file in found[:20]:
            print(f"{what}: {file}")
    for (kind, outcome), number in sorted(trials.outcomes.items()):
        print(f"{kind:16} {outcome:20} {number}")
    print(f"findings: {findings.total()} {dict(+findings) or ''}")
    return 1 if findings.total() else 0


if __name__ == "__main__":
    main()
