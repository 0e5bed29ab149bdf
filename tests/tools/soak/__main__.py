"""The soak: many boards under all faults that a jig file knows, judged by what the bench knows.

usage: python3 soak BOARDS SEED GANGFLASH, in an empty directory
"""
import collections
import concurrent.futures
import math
import multiprocessing
import os
import sys
import threading
import time

from boards import PROFILES, make_images
from faults import WEIGHTS, Deck, make_jig
from runs import Run, all_silent_run, judge_all

TELL_S = 10
WRONG_SHOWN = 40
RUNS_AT_ONCE = 2
MISSING_RUNS = 3
MISSING_BOARDS = 24


class Soak:
    def __init__(self, boards, seed, gangflash):
        self.wanted, self.seed, self.gangflash = boards, seed, gangflash
        self.done = {}  # boards, by run
        self.begun = self.told = time.monotonic()
        self.seen = collections.Counter()
        self.longest_still_s = {False: 0, True: 0}
        self.failed = False
        self.deck = Deck(seed)
        # One board in five is bad enough; where they are few, more are needed to see all kinds.
        self.share = 0.2 if boards >= 5000 else 0.6

    def boards(self):
        return sum(self.done.values())

    def tell(self, run, boards):
        now = time.monotonic()
        self.done[run.name] = boards
        boards = self.boards()
        if now - self.told < TELL_S or boards == 0:
            return
        self.told = now
        left_s = (now - self.begun) * max(0, self.wanted - boards) / boards
        print("%d of %d boards, about %d min %02d s to go" %
              (boards, self.wanted, left_s // 60, left_s % 60), flush=True)

    def take(self, run, judge):
        self.seen.update(judge.seen)
        for waits, still_s in judge.longest_still_s.items():
            self.longest_still_s[waits] = max(self.longest_still_s[waits], still_s)
        growth = ", ".join("%s %+d KiB %+d descriptors" % (name, *grown)
                           for name, grown in judge.growth.items())
        print("run %s: %s, %d sites, seed %d: %d boards in %.0f s, exit status %s%s" %
              (run.name, run.profile.part, len(run.jig["sites"]), run.seed, judge.seen["boards"],
               run.took_s, run.status, growth and "; " + growth), flush=True)
        if not judge.wrong:
            for name in run.files():
                if os.path.exists(name):
                    os.remove(name)
            return
        self.failed = True
        print("\n".join(judge.wrong[:WRONG_SHOWN]))
        print("run %s of SOAK_SEED=%d SOAK_BOARDS=%d is wrong in %d ways" %
              (run.name, self.seed, self.wanted, len(judge.wrong)), flush=True)


def make_run(soak, profile, number, boards):
    count, seed = max(4, math.ceil((1 - soak.share / 2) * boards)), soak.seed + number
    return Run("run-%d" % number, profile, seed, count, soak.gangflash,
               make_jig(profile, seed, soak.deck, count, soak.share))


def follow(soak, judges, run):
    """Runs it; None if another one went wrong meanwhile."""
    if soak.failed:
        return None
    run.start()
    run.follow(lambda boards: soak.tell(run, boards))
    soak.tell(run, run.boards())
    del run.station  # is not for the judge's process
    return run, judges.submit(judge_all, run)


def run_all(soak, judges):
    """Each profile its share of the boards, some runs beside each other, as they wait for slow
    programmers most of the time; then what is missing, because runs are counted by boards that
    pass."""
    runs = [make_run(soak, profile, number, profile.share * soak.wanted // 1000)
            for number, profile in enumerate(PROFILES, 1)]
    with concurrent.futures.ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
        for done in pool.map(lambda run: follow(soak, judges, run), runs):
            if done is not None:
                soak.take(done[0], done[1].result())
    number = len(PROFILES)
    while soak.boards() < soak.wanted and not soak.failed:
        number += 1
        run, judge = follow(soak, judges, make_run(soak, PROFILES[number % 3], number,
                                                   soak.wanted - soak.boards()))
        soak.take(run, judge.result())


def name_of(kind):
    if not isinstance(kind, tuple):
        return kind
    return "%s %s by %s" % (*kind[:2], "rate" if kind[2] == "rate" else "position")


def never_applied(seen):
    return [kind for kind in WEIGHTS if seen["fault " + name_of(kind)] == 0]


def run_missing(soak, judges):
    """Kinds that have come to no board so far: in few boards chance may leave some out."""
    for number in range(MISSING_RUNS):
        missing = never_applied(soak.seen)
        if soak.failed or not missing:
            return
        soak.deck.cards = missing * MISSING_BOARDS
        seed = soak.seed + 1000 + number
        run = Run("missing-%d" % number, PROFILES[0], seed, MISSING_BOARDS, soak.gangflash,
                  make_jig(PROFILES[0], seed, soak.deck, MISSING_BOARDS, 1))
        run.start()
        run.follow(lambda boards: None)
        del run.station
        soak.take(run, judges.submit(judge_all, run).result())


def run_silent(soak, judges):
    run = all_silent_run(PROFILES[0], soak.seed, soak.gangflash)
    run.start()
    run.follow(lambda boards: None)
    del run.station
    judge = judges.submit(judge_all, run).result()
    if judge.seen["boards"]:
        judge.check(judge.seen["site out: not back"] == len(judge.sites),
                    "sites out when all are silent")
    soak.take(run, judge)


def main():
    boards, seed, gangflash = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    make_images()
    soak = Soak(boards, seed, gangflash)
    # Spawned: a process with threads does not fork well.
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as judges:
        silent = threading.Thread(target=run_silent, args=(soak, judges))
        silent.start()
        run_all(soak, judges)
        silent.join()
        run_missing(soak, judges)
    for what in sorted(soak.seen):
        print("%6d %s" % (soak.seen[what], what))
    print("%6.1f s the longest that a site stood still, %.1f s while it waited for its programmer" %
          (soak.longest_still_s[False], soak.longest_still_s[True]))
    print("%6.1f s in all" % (time.monotonic() - soak.begun))
    missing = sorted({name_of(kind) for kind in never_applied(soak.seen)})
    if missing and not soak.failed:
        print("never applied: " + ", ".join(missing))
    return 1 if soak.failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
