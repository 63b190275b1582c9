# SPDX-License-Identifier: MIT
"""The example programs through the intermediaries that a WebSocket crosses, on loopback.

usage: run.py BUILD_DIR [--only PROXY] [TEST...]

One line for each proxy and test: "OK nginx: echo - ..." or "FAIL ...". Each proxy is
a child of this process, so that they run beside each other.
"""
import asyncio
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
TEST_SECONDS = 40
RUN_SECONDS = 115

sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True


def say(line):
    """One write, so that lines of several threads stay whole."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


# ---------------------------------------------------------------- one proxy

def on_alarm(_signal, _frame):
    raise TimeoutError("expected an end within %d s, actual: still running" % TEST_SECONDS)


def on_end(_signal, _frame):
    raise SystemExit(1)  # so that all that was started is ended on the way out


def brief(words):
    """One line; of a long one the ends, for the log has the rest."""
    words = " ".join(words.split())
    return words if len(words) <= 500 else "%s ... %s" % (words[:200], words[-300:])


def attempt(kind, test):
    """Runs one test. True, False, or None if it has nothing to say about this proxy."""
    name = "%s: %s" % (kind.name, test.__name__.removeprefix("test_"))
    signal.alarm(TEST_SECONDS)
    since = time.monotonic()
    try:
        detail = asyncio.run(test(kind))
    except Exception as problem:  # whatever it is, the next test runs
        signal.alarm(0)
        traceback.print_exc()
        say("FAIL %s - %s" % (name, brief(str(problem) or type(problem).__name__)))
        return False
    finally:
        signal.alarm(0)
        print("%s: %.1f s" % (name, time.monotonic() - since), file=sys.stderr)
    if detail is None:
        return None
    say("OK %s - %s" % (name, detail))
    return True


def one_proxy(name, wanted):
    """All tests with one proxy: the exit status."""
    import echo
    import faults
    import talk
    from kinds import KINDS
    kind = next(kind for kind in KINDS if kind.name == name)
    signal.signal(signal.SIGALRM, on_alarm)
    if kind.missing():
        say("FAIL %s - expected it to be installed, actual: there is no %s" % (name, kind.missing()))
        return 1
    tests = [test for test in echo.TESTS + faults.TESTS + talk.TESTS
             if not wanted or test.__name__.removeprefix("test_") in wanted]
    results = [attempt(kind, test) for test in tests]
    return 1 if False in results else 0


# ------------------------------------------------------------------ all of them

class Child:
    """One proxy's process; its lines are passed on as they come."""

    def __init__(self, name, build, wanted, log):
        self.name, self.is_part, self.passed, self.failed = name, bool(wanted), 0, 0
        self.process = subprocess.Popen([sys.executable, str(HERE / "run.py"), str(build), "--only", name, *wanted],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        self.thread = threading.Thread(target=self.relay)
        self.thread.start()

    def relay(self):
        for line in self.process.stdout:
            self.passed += line.startswith("OK ")
            self.failed += line.startswith("FAIL ")
            say(line.rstrip("\n"))

    def stop(self):
        """Ends it if it still runs; it ends what it started itself."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.thread.join()

    def end(self, deadline):
        """Waits, at most until the deadline; counts an end without a reason as a failure."""
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            say("FAIL %s - expected an end within %d s, actual: still running" % (self.name, RUN_SECONDS))
            self.failed += 1
        self.stop()
        if self.failed == 0 and (self.process.returncode != 0 or (self.passed == 0 and not self.is_part)):
            say("FAIL %s - expected tests, actual: exit status %d" % (self.name, self.process.returncode))
            self.failed += 1


def all_proxies(build, wanted):
    from kinds import KINDS
    deadline = time.monotonic() + RUN_SECONDS
    with open(build / "proxies.log", "w", encoding="utf-8") as log:
        children = [Child(kind.name, build, wanted, log) for kind in KINDS]
        try:
            for child in children:
                child.end(deadline)
        finally:
            for child in children:
                child.stop()
    passed, failed = sum(child.passed for child in children), sum(child.failed for child in children)
    say("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1


def main(arguments):
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, on_end)
    build = pathlib.Path(arguments[0]).resolve()
    os.environ["TENON_INTEROP_BUILD"] = str(build)
    if arguments[1:2] == ["--only"]:
        return one_proxy(arguments[2], arguments[3:])
    return all_proxies(build, arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
