"""One run of the station on a simulated bench, watched from outside while it goes on."""
import json
import os
import sqlite3
import statistics
import subprocess
import time

from faults import make_jig
from judge import Judge, has_begun, judge_run

LIMIT_S = 400  # far above what a run takes: it is there for one that does not end
LOOK_S = 0.5
LINES_SHOWN = 10
# Runs of so many boards tell whether a process grows, and so much it may: the database's page cache
# (2 MiB), the heaps of many threads and their stacks fill up, ever slower, while some ten thousand
# boards are done. What nobody can reach any more is found where this runs with the leak sanitizer.
GROWTH_BOARDS = 1500
GROWTH_MAX_KIB = 6144
GROWTH_MAX_DESCRIPTORS = 8


def read_word(path, key):
    with open(path) as file:
        for line in file:
            if line.startswith(key):
                return int(line.split()[1])
    return 0


class Watch:
    """Resident memory and descriptors of a process, by boards done."""

    def __init__(self, name, process):
        self.name, self.process, self.samples = name, process, []

    def look(self, boards):
        try:
            memory = read_word("/proc/%d/status" % self.process, "VmRSS:")
            descriptors = len(os.listdir("/proc/%d/fd" % self.process))
        except OSError:  # it has ended
            return
        if memory and descriptors:  # not while it ends
            self.samples.append((boards, memory, descriptors))

    def growth(self, boards):
        """KiB and descriptors that came between the first boards and the last; None if there were
        too few to tell. A site that looks who holds its port has some descriptors more then."""
        early = [sample for sample in self.samples if boards // 10 <= sample[0] <= boards // 3]
        late = [sample for sample in self.samples if sample[0] >= boards * 2 // 3]
        if boards < GROWTH_BOARDS or len(early) < 3 or len(late) < 3:
            return None
        return (max(sample[1] for sample in late) - max(sample[1] for sample in early),
                statistics.median_low(sample[2] for sample in late) -
                statistics.median_low(sample[2] for sample in early))


class Run:
    def __init__(self, name, profile, seed, count, gangflash, jig):
        self.name, self.profile, self.seed, self.count = name, profile, seed, count
        self.gangflash = gangflash
        self.jig = jig
        self.log, self.record = name + ".sqlite", name + ".record"
        self.output, self.status = name + ".out", None
        self.watches = []
        self.took_s = 0

    def files(self):
        endings = (".yaml", ".jig", ".sqlite", ".sqlite-shm", ".sqlite-wal", ".sqlite.lock",
                   ".record", ".out")
        return [self.name + ending for ending in endings]

    def start(self):
        with open(self.name + ".yaml", "w") as file:
            file.write(self.profile.text())
        with open(self.name + ".jig", "w") as file:
            json.dump(self.jig, file, indent=1)
        with open(self.output, "w") as output:
            self.station = subprocess.Popen(
                [self.gangflash, "flash", os.path.abspath(self.name + ".yaml"), "--jig",
                 os.path.abspath(self.name + ".jig"), "--go", "now", "--count", str(self.count),
                 "--log", self.log, "--bench-record", self.record],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.started = time.monotonic()
        self.watches = [Watch("station", self.station.pid)]

    def boards(self):
        """Done so far."""
        try:
            base = sqlite3.connect("file:%s?mode=ro" % self.log, uri=True)
            found = base.execute("SELECT count(*) FROM attempt_closed").fetchone()[0]
            base.close()
            return found
        except sqlite3.Error:  # not there yet
            return 0

    def find_bench(self):
        path = "/proc/%d/task/%d/children" % (self.station.pid, self.station.pid)
        try:
            with open(path) as file:
                children = file.read().split()
        except OSError:
            return
        self.watches += [Watch("simbench", int(child)) for child in children[:1]]

    def follow(self, tell):
        """Until the run has ended; `tell` is given how many boards are done."""
        while self.station.poll() is None:
            if time.monotonic() - self.started > LIMIT_S:
                self.station.kill()
            if len(self.watches) == 1:
                self.find_bench()
            boards = self.boards()
            for watch in self.watches:
                watch.look(boards)
            tell(boards)
            time.sleep(LOOK_S)
        self.status = self.station.returncode
        self.took_s = time.monotonic() - self.started

    def how_it_ended(self):
        """Of a run that did not begin: its exit status, and the last that it said."""
        with open(self.output, errors="replace") as file:
            said = file.read().splitlines()[-LINES_SHOWN:]
        return "run %s did not begin: exit status %s, and the last that it said was\n%s" % (
            self.name, self.status, "\n".join("  " + line for line in said or ["nothing"]))

    def judge_growth(self, judge):
        for watch in self.watches:
            growth = watch.growth(self.count)
            if growth is not None:
                judge.check(growth[0] <= GROWTH_MAX_KIB, "memory of the " + watch.name, growth)
                # The bench's ports have a second one or not, as the system's limits let them.
                may = GROWTH_MAX_DESCRIPTORS if watch.name == "station" else len(judge.sites)
                judge.check(growth[1] <= may, "descriptors of the " + watch.name, growth)
                judge.growth[watch.name] = growth


def all_silent_run(profile, seed, gangflash):
    """When every programmer has fallen silent the run ends, although boards are wanted."""
    jig = make_jig(profile, seed, None, 8, 0)
    jig["faults"] = [{"board": 2, "fault": "lost-byte", "wire": "to-programmer", "rate": "1"}]
    return Run("silent", profile, seed, 50, gangflash, jig)


def judge_all(run):
    judge = Judge(run)
    if not has_begun(run):
        judge.check(False, run.how_it_ended())
        return judge
    judge_run(judge)
    run.judge_growth(judge)
    chain = subprocess.run([run.gangflash, "log", "verify", "--log", run.log],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    judge.check(chain.returncode == 0, "the log's chain", chain.stdout[-500:])
    return judge
