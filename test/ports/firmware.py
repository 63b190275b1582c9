#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The firmware example, on an emulated board, against the echo server.

usage: firmware.py OUT ECHO_SERVER

Links it into 8 KB of RAM, bridges its serial line to the server, and checks what it
says. Then the wiring to lwIP, in an lwIP that talks to itself. OUT/firmware.md: sizes.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-Iinclude"]
BOARD = ["arm-none-eabi-gcc", "-Os", "-mcpu=cortex-m3", "-mthumb", "-ffunction-sections", "-fdata-sections",
         "-nostartfiles", "-Wl,--gc-sections", "-T", "examples/firmware/board.ld"] + STRICT
RAM = 8192


class Failed(Exception):
    pass


def run(command, limit=120):
    try:
        done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, cwd=ROOT, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        raise Failed("%s: not done in %d s" % (command[0], limit)) from None
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise Failed("%s: status %d: %s" % (command[0], done.returncode, text[-1500:]))
    return text


def link(out):
    """The image, and its octets of flash and of RAM without the stack."""
    image = out / "firmware.elf"
    library = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "lib").glob("*.c"))
    run(BOARD + ["examples/firmware/firmware.c", "examples/firmware/board.c"] + library + ["-o", image])
    text, data, bss = map(int, run(["arm-none-eabi-size", image]).splitlines()[1].split()[:3])
    undefined = run(["arm-none-eabi-nm", image])
    if re.search(r" (malloc|_sbrk|free)$", undefined, re.M):
        raise Failed("there is a heap in it")
    return image, text + data, data + bss


def exchange(image, echo_server):
    """What the board says, its serial line being a connection to the server."""
    server = subprocess.Popen([str(echo_server), "--port", "0"], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        line = server.stdout.readline().decode()
        port = re.search(r":(\d+)\s*$", line)
        if not port:
            raise Failed("the server says %r" % line)
        return run(["qemu-system-arm", "-M", "mps2-an385", "-nographic", "-monitor", "none",
                    "-serial", "tcp:127.0.0.1:" + port.group(1),
                    "-semihosting-config", "enable=on,target=native", "-kernel", image], 60)
    finally:
        server.terminate()
        server.wait(20)
        server.stdout.close()


def board(out, echo_server):
    image, flash, ram = link(out)
    said = exchange(image, echo_server)
    found = dict(re.findall(r"^(\w+): (\d+)$", said, re.M))
    if not said.startswith("open\n") or found.get("closed") != "1000" or found.get("rule") != "0":
        raise Failed("another end: " + said)
    if int(found["readings"]) != 8 or int(found["pongs"]) < 1:
        raise Failed("not all came: " + said)
    stack = int(found["stack"])
    if ram + stack > RAM or not 0 < stack < RAM - ram:
        raise Failed("%d octets of stack beside %d of data" % (stack, ram))
    (out / "firmware.md").write_text(
        "A client, its board and its buffers: %d octets of flash; of its 8 KB of RAM %d for data and buffers, "
        "and %d of stack were used.\n" % (flash, ram, stack))
    return "flash %d, RAM %d and %d of stack, 8 readings, %s pongs" % (flash, ram, stack, found["pongs"])


def lwip(out):
    library = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "lib").glob("*.c"))
    run(["gcc", "-O2", "-isystem", "/usr/include/lwip", "-Iexamples/firmware", "-D_DEFAULT_SOURCE"] + STRICT +
        ["test/ports/lwip_exchange.c", "examples/firmware/lwip.c"] + library + ["-llwip", "-o", out / "lwip"])
    return run([out / "lwip"], 30).strip()


def main(arguments):
    if len(arguments) != 2:
        raise SystemExit(__doc__)
    out, server = pathlib.Path(arguments[0]).resolve(), pathlib.Path(arguments[1]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    bad = 0
    for name, step in (("firmware", lambda: board(out, server)), ("wiring to lwIP", lambda: lwip(out))):
        try:
            print("OK %s: %s" % (name, step()))
        except Failed as why:
            bad += 1
            print("FAIL %s: %s" % (name, why))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
