# SPDX-License-Identifier: MIT
"""All tests of the relay. usage: run.py [TEST...], with the environment of run.sh.

A test is a function test_NAME of one of the modules; it returns a word about what
was seen, and prints its line: "OK NAME - ..." or "FAIL NAME - ...". The groups of
modules run beside each other, for most tests wait most of the time.
"""
import asyncio
import importlib
import inspect
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
GROUPS = [["gate", "heads", "upstream", "frames", "ends", "report", "crowd"], ["flow", "rates", "peers"], ["leaks"]]
TEST_SECONDS = 30
RUN_SECONDS = 100

sys.path.insert(0, str(HERE))
sys.path.append(str(HERE.parent / "interop"))


def on_alarm(_signal, _frame):
    raise TimeoutError("expected an end within %d s, actual: still running" % TEST_SECONDS)


def on_end(_signal, _frame):
    raise SystemExit(1)  # so that what was started is ended


def brief(words):
    words = " ".join(words.split())
    return words if len(words) <= 600 else "%s ... %s" % (words[:300], words[-300:])


def attempt(test, log):
    """Runs one test: whether it passed."""
    name = test.__name__.removeprefix("test_")
    since = time.monotonic()
    signal.alarm(TEST_SECONDS)
    try:
        detail = asyncio.run(test()) if inspect.iscoroutinefunction(test) else test()
    except Exception as problem:  # whatever it is, the next test runs
        signal.alarm(0)
        traceback.print_exc(file=log)
        print("FAIL %s - %s" % (name, brief(str(problem) or type(problem).__name__)), flush=True)
        return False
    finally:
        signal.alarm(0)
        print("%s: %.2f s" % (name, time.monotonic() - since), file=log, flush=True)
    print("OK %s - %s" % (name, detail or "as it should be"), flush=True)
    return True


def one_group(modules, wanted):
    """Runs the tests of some modules: the exit status."""
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, on_end)
    tests = [test for module in modules for name, test in vars(importlib.import_module(module)).items()
             if name.startswith("test_") and (not wanted or name.removeprefix("test_") in wanted)]
    with open(pathlib.Path(os.environ["TENON_INTEROP_BUILD"], "relay.log"), "a", encoding="utf-8") as log:
        results = [attempt(test, log) for test in tests]
    return 0 if all(results) else 1


class Group:
    """A process for some of the modules; its lines are passed on as they come."""

    def __init__(self, modules, wanted):
        self.passed, self.failed = 0, 0
        self.process = subprocess.Popen([sys.executable, str(HERE / "run.py"), "--modules", ",".join(modules), *wanted],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.passed += line.startswith("OK ")
            self.failed += line.startswith("FAIL ")
            print(line, end="", flush=True)

    def end(self, deadline):
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()
        self.thread.join()
        if self.process.returncode != 0 and self.failed == 0:
            print("FAIL group - expected an end of %s, actual: exit status %d"
                  % (self.process.args[3], self.process.returncode), flush=True)
            self.failed = 1


def main(arguments):
    if arguments[:1] == ["--modules"]:
        return one_group(arguments[1].split(","), arguments[2:])
    deadline = time.monotonic() + RUN_SECONDS
    groups = [Group(modules, arguments) for modules in GROUPS]
    for group in groups:
        group.end(deadline)
    passed, failed = sum(group.passed for group in groups), sum(group.failed for group in groups)
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
