"""Judges a run of the soak: what the simulated bench says about each board against what the station's
log says about it, and both against the profile. The station is asked nothing."""
import collections
import datetime
import json
import re
import sqlite3

WIRE_KINDS = ("flip", "lost-byte")
PROGRAMMER_FAILURES_MAX = 3  # in a row, and the site is out (station/scheduler.h)
# The longest that a site may go without anything in the log while it is not out: 30 s of waiting for
# a programmer, and a board whose every step takes as long as it may.
STILL_MAX_S = 75


class Judge:
    def __init__(self, run):
        self.run, self.profile, self.jig = run, run.profile, run.jig
        self.wrong = []
        self.seen = collections.Counter()
        self.longest_still_s = 0
        self.growth = {}  # by process: KiB, descriptors
        self.flash = self.profile.flash()
        self.eeprom = self.profile.eeprom_bytes()
        self.sites = [entry["site"] for entry in self.jig["sites"]]
        self.faults = collections.defaultdict(list)
        for fault in self.jig["faults"]:
            for site in [fault["site"]] if "site" in fault else self.sites:
                self.faults[site, fault.get("board")].append(fault)

    def check(self, right, text, *about):
        if not right:
            self.wrong.append(" ".join([text] + [json.dumps(one) for one in about]))

    def faults_of(self, site, board):
        """In the jig file's order, as the record has them."""
        mine = {id(fault) for key in ((site, board), (site, None)) for fault in self.faults[key]}
        return [fault for fault in self.jig["faults"] if id(fault) in mine] if mine else []


def rows(log, sql):
    base = sqlite3.connect("file:%s?mode=ro" % log, uri=True)
    base.row_factory = sqlite3.Row
    found = [dict(row) for row in base.execute(sql)]
    base.close()
    return found


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


# --- one board ---

def may_send_anything(faults):
    """May the board get what the station never sent? Flipped bits can, and on MOSI a lost byte
    makes the board take the next instruction's first byte for this one's last."""
    return any(fault["fault"] in WIRE_KINDS and
               (fault["wire"] == "to-board" or
                (fault["wire"] == "to-programmer" and fault["fault"] == "flip"))
               for fault in faults)


def hears_badly(faults):
    """May the board take what it gets for something else? SCK is too fast for its clock."""
    return any(fault["fault"] in ("slow-clock", "no-crystal") for fault in faults)


def memory(record, name):
    return bytes.fromhex(record[name]).ljust(record[name + "_size"], b"\xff")


def judge_flash(judge, record, faults, about):
    flash = memory(record, "flash")
    wrong = [at for at, byte in judge.flash.items() if flash[at] != byte]
    judge.check(not wrong, "passed with wrong flash", about, wrong[:4])
    stray = [at for at, byte in enumerate(flash) if byte != 0xFF and at not in judge.flash]
    # Outside the images nothing is read back, unless the profile says so.
    if stray and not judge.profile.whole and may_send_anything(faults):
        judge.seen["passed with bytes outside the images"] += 1
    else:
        judge.check(not stray, "passed with flash outside the images", about, stray[:4])


def judge_pass(judge, record, faults, about):
    judge.check(record["part"] == judge.profile.part, "passed another part", about)
    if record["part"] != judge.profile.part:
        return
    judge_flash(judge, record, faults, about)
    eeprom = memory(record, "eeprom")
    judge.check(eeprom == judge.eeprom.ljust(len(eeprom), b"\xff"), "passed with wrong EEPROM",
                about)
    for fuse, values in judge.profile.fuses.items():
        judge.check(record[fuse] & values["mask"] in
                    [value & values["mask"] for value in values["pass"]],
                    "passed with wrong " + fuse, about, record[fuse])


def judge_sent(judge, record, attempt, decisions, faults, about):
    """What the board got, as long as wires cannot have changed it."""
    if record["part"] is None or may_send_anything(faults):
        return
    for write in record["fuse_writes"]:
        values = judge.profile.fuses.get(write["fuse"])
        judge.check(values is not None and
                    (write["value"] ^ values["write"]) & values["mask"] == 0,
                    "a fuse write that the profile does not call for", about, write)
        judge.check(decisions.get((attempt["attempt"], write["fuse"])) in ("written", "unknown"),
                    "a fuse write that the log does not know of", about, write)
    counts = record["counts"]
    changed = bool(counts["erases"] or counts["flash_pages"] or counts["eeprom_writes"] or
                   record["fuse_writes"])
    judge.check(not changed or attempt["touched"] != "none",
                "a board that was changed, but the log says untouched", about, counts)
    judge.check(not changed or record["part"] == judge.profile.part, "changed another part", about)
    judge.check(counts["too_fast"] == 0 or hears_badly(faults), "SCK too fast", about)


def judge_board(judge, record, attempt, decisions):
    faults = judge.faults_of(record["site"], record["board"])
    about = {"site": record["site"], "board": record["board"], "faults": record["faults"],
             **{key: attempt[key] for key in ("attempt", "verdict", "failure", "detail")}}
    if attempt["verdict"] == "pass":
        judge_pass(judge, record, faults, about)
    applied = any(fault["applied"] for fault in record["faults"])
    judge.check(applied or attempt["verdict"] == "pass", "a sound board did not pass", about)
    judge_sent(judge, record, attempt, decisions, faults, about)
    judge.seen["verdict " + attempt["verdict"]] += 1
    if attempt["failure"] not in (None, "none"):
        judge.seen["failure " + attempt["failure"]] += 1


def describe(fault):
    if fault["fault"] not in WIRE_KINDS:
        return "fault " + fault["fault"]
    return "fault %s %s by %s" % (fault["fault"], fault["wire"],
                                  "rate" if "rate" in fault else "position")


def note_faults(judge, record):
    faults = judge.faults_of(record["site"], record["board"])
    judge.check([fault["fault"] for fault in faults] ==
                [fault["fault"] for fault in record["faults"]],
                "the record's faults", record["site"], record["board"])
    for fault, told in zip(faults, record["faults"]):
        judge.seen[describe(fault)] += told["applied"] != 0


# --- all rows ---

def judge_rows(judge, attempts):
    for table in ("attempt_opened", "attempt_closed"):
        found = rows(judge.run.log, "SELECT attempt FROM %s ORDER BY attempt" % table)
        judge.check([row["attempt"] for row in found] ==
                    [attempt["attempt"] for attempt in attempts], "rows of " + table, len(found))
    judge.check(attempts, "there is no attempt")
    judge.check(all(attempt["verdict"] for attempt in attempts), "an attempt without a verdict")


def judge_status(judge, attempts, out):
    passed = sum(attempt["verdict"] == "pass" for attempt in attempts)
    all_out = len(out) == len(judge.jig["sites"])
    judge.check(all_out or passed == judge.run.count, "boards that passed", passed)
    programmer = any((attempt["failure"] or "").startswith("programmer-") for attempt in attempts)
    wanted = 4 if out or programmer else 1 if passed < len(attempts) else 0
    judge.check(judge.run.status == wanted, "exit status", judge.run.status, wanted)


def judge_boards(judge, by_site):
    """Each attempt ends with a lamp, and a lamp ends a board's turn. A turn that ended without one
    had no attempt: an empty place, a board that was dead at once, or the run's end."""
    decisions = {(row["attempt"], row["fuse"]): row["decision"]
                 for row in rows(judge.run.log, "SELECT attempt, fuse, decision FROM fuse_writes")}
    done = collections.Counter()
    with open(judge.run.record) as file:
        for line in file:
            record = json.loads(line)
            note_faults(judge, record)
            site = record["site"]
            if record["lamp"] is None:
                continue
            if done[site] == len(by_site[site]):
                judge.check(False, "a board without a row", site, record["board"])
                continue
            attempt = by_site[site][done[site]]
            done[site] += 1
            judge.check(record["lamp"] == attempt["verdict"], "lamp and verdict", site,
                        record["board"], record["lamp"], attempt["verdict"])
            judge_board(judge, record, attempt, decisions)
    for site, attempts in by_site.items():
        judge.check(done[site] == len(attempts), "rows without a board", site, len(attempts),
                    done[site])


# --- sites that went out, and sites that stood still ---

def is_lost_for_long(judge, site):
    """Has this site a fault that keeps its programmer away for longer than anybody waits?"""
    return any(fault["fault"] == "port-gone" and fault["for"].endswith("00 s") or
               fault.get("rate") == "1" for fault in judge.jig["faults"]
               if fault.get("site", site) == site)


def has_garbled_programmer(judge, site):
    """May the programmer not even be recognized, when the run begins?"""
    return any(fault["fault"] in WIRE_KINDS and fault["wire"].endswith("programmer") or
               fault["fault"] == "late-reply" for fault in judge.faults_of(site, 1))


def judge_out(judge, site, detail, attempts):
    last = [(attempt["failure"] or "") for attempt in attempts[-PROGRAMMER_FAILURES_MAX:]]
    if "not back within 30 s" in detail:
        judge.check(is_lost_for_long(judge, site), "given up", site, detail)
        judge.seen["site out: not back"] += 1
    elif "failed on boards 3 times in a row" in detail:
        judge.check(len(last) == PROGRAMMER_FAILURES_MAX and
                    all(code.startswith("programmer-") or code == "deadline" for code in last),
                    "locked out", site, detail, last)
        judge.seen["site out: failed on boards"] += 1
    elif "failed 3 times in a row" in detail:
        judge.seen["site out: failed looks"] += 1
    else:
        judge.check(not attempts and has_garbled_programmer(judge, site), "out for no reason", site,
                    detail)
        judge.seen["site out: not claimed"] += 1


def sites_out(judge, events, by_site):
    out = {}
    for event in events:
        if event["kind"] == "site-out":
            site, detail = re.fullmatch(r"site (\d+): (.*)", event["detail"]).groups()
            out[int(site)] = event["at"]
            judge_out(judge, int(site), detail, by_site[int(site)])
    return out


def judge_stillness(judge, events, by_site, out):
    """Every site that is not out went on to the end."""
    stirred = collections.defaultdict(list)
    for site, attempts in by_site.items():
        stirred[site] += [attempt[key] for attempt in attempts for key in ("started_at", "ended_at")]
    for event in events:
        if (found := re.match(r"site (\d+): ", event["detail"] or "")) is not None:
            stirred[int(found[1])].append(event["at"])
    end = max(event["at"] for event in events)
    begin = min(event["at"] for event in events if event["kind"] == "go")
    for site in judge.sites:
        moments = sorted(seconds(at) for at in [begin, *stirred[site], out.get(site, end)])
        longest = max(after - before for before, after in zip(moments, moments[1:]))
        judge.check(longest < STILL_MAX_S, "a site stood still", site, round(longest, 1))
        judge.longest_still_s = max(judge.longest_still_s, longest)


def judge_run(run):
    judge = Judge(run)
    attempts = rows(run.log, "SELECT * FROM attempts ORDER BY attempt")
    events = rows(run.log, "SELECT * FROM events ORDER BY event")
    by_site = collections.defaultdict(list)
    for attempt in attempts:
        by_site[attempt["site"]].append(attempt)
    judge_rows(judge, attempts)
    out = sites_out(judge, events, by_site)
    judge_status(judge, attempts, out)
    judge_boards(judge, by_site)
    judge_stillness(judge, events, by_site, out)
    judge.seen["boards"] = len(attempts)
    return judge
