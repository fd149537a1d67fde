# A person at a terminal: starts bash on a pty of its own, types, and reads what
# appears. Used by terminal.bats: terminal.py CRAGON TEST, in a directory of its own.
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

LIMIT = 15


class Terminal:
    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(PS1="$ ", HISTFILE="", TERM="dumb", LC_ALL="C")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        self.seen = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def run(self, line):
        self.type(line + "\n")

    # Waits until the pattern appears in what has not been looked at yet.
    def await_(self, pattern):
        end = time.time() + LIMIT
        while True:
            found = re.search(pattern, self.seen)
            if found:
                self.seen = self.seen[found.end():]
                return found
            left = end - time.time()
            if left <= 0:
                sys.exit("waited in vain for %r; on the screen: %r" % (pattern, self.seen[-300:]))
            if select.select([self.fd], [], [], left)[0]:
                try:
                    self.seen += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    sys.exit("the terminal is gone; on the screen: %r" % self.seen)

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


cragon, test = sys.argv[1:3]
counter = "i=0; while sleep 0.1; do i=$((i+1)); echo tick $i; done"


def interrupt():
    t = Terminal()
    t.run("%s run -q -i off -w j sh -c '%s'; echo code $?" % (cragon, counter))
    t.await_("tick 3")
    t.type("\x03")
    t.await_("code 130")
    t.run("%s run -q -i off -w k sh -c 'trap \"echo caught\" INT; while :; do sleep 0.1; echo tick; done'" % cragon)
    t.await_("tick\r\n")
    t.type("\x03")
    t.await_("caught")  # the program decides; it goes on
    t.await_("tick\r\n")
    t.type("\x1c")  # Ctrl-backslash
    t.await_(r"\$ ")
    t.close()


def suspend():
    t = Terminal()
    t.run("%s run -q -i off -w j sh -c '%s'" % (cragon, counter))
    t.await_("tick 3")
    t.type("\x1a")
    t.await_("Stopped")
    t.await_(r"\$ ")
    t.run("jobs; echo 'at the prompt'")
    t.await_("Stopped")
    t.await_("at the prompt\r\n")
    time.sleep(0.5)
    if "tick" in t.seen:
        sys.exit("goes on although stopped: %r" % t.seen)
    t.run("fg")
    t.await_(r"tick \d")
    t.type("\x1a")
    t.await_("Stopped")
    t.await_(r"\$ ")
    t.run("bg; sleep 0.5; kill %1; wait; echo 'all over'")
    t.await_(r"tick \d")
    t.await_("all over\r\n")
    t.close()


def reads_the_terminal():
    t = Terminal()
    t.run("%s run -q -i 0.3 -w j sh -c 'while read -r line; do echo got $line; done; echo end'" % cragon)
    t.type("one\n")
    t.await_("got one")
    time.sleep(1)  # a checkpoint while it waits for us
    t.type("two\n")
    t.await_("got two")
    t.type("\x04")
    t.await_("\nend")
    t.close()


def resumed_on_another_terminal():
    t = Terminal()
    t.run("%s run -q -i 0.3 -w j sh -c 'tty; while read -r line; do echo got $line; done; tty'; echo code $?" % cragon)
    first = t.await_("/dev/pts/[0-9]+").group()
    t.type("one\n")
    t.await_("got one")
    time.sleep(1)
    status = json.loads(subprocess.check_output([cragon, "status", "--json", "j"]))
    os.kill(status["pid"], signal.SIGKILL)
    t.await_("code 137")
    other = Terminal()
    other.run("%s restart -q -w j" % cragon)
    time.sleep(0.7)
    other.type("two\n")
    other.await_("got two")
    other.type("\x1a")
    other.await_("Stopped")
    other.await_(r"\$ ")
    other.run("fg")
    other.type("three\n")
    other.await_("got three")
    other.type("\x04")
    second = other.await_("/dev/pts/[0-9]+").group()
    other.await_(r"\$ ")
    other.run("echo code $?")
    other.await_("code 0\r\n")
    if first == second:
        sys.exit("both on %s" % first)
    other.close()
    t.close()


def hangs_up():
    t = Terminal()
    t.run("%s run -q -i off -w j sh -c 'trap \"echo HUP >hup; exit\" HUP; %s'" % (cragon, counter))
    t.await_("tick 2")
    os.close(t.fd)
    end = time.time() + LIMIT
    while not os.path.exists("hup"):
        if time.time() > end:
            sys.exit("no SIGHUP came")
        time.sleep(0.1)


globals()[test]()
