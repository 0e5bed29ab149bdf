"""Judges a run of the soak: what the simulated bench says about each board against what the
station's log says about it, and both against the profile. The station is asked nothing."""
import collections
import datetime
import json
import re
import sqlite3

from boards import KEPT
from faults import PAGE_BYTES, SERIAL_KINDS, USB_DRIVERS, USB_KINDS

WIRE_KINDS = ("flip", "lost-byte", "doubled-byte")
PROGRAMMER_FAILURES_MAX = 3  # in a row, and the site is out (station/scheduler.h)
# The longest that a site may go without anything in the log while it is not out: with a board, and
# while it waits for its programmer, which it does for 30 s. Machines may be slow.
STILL_MAX_S = {False: 25, True: 45}


class Faults(list):
    """Those of a board, and what driver its programmer has."""
    driver = None


class Judge:
    def __init__(self, run):
        self.run, self.profile, self.jig = run, run.profile, run.jig
        self.wrong = []
        self.seen = collections.Counter()
        self.longest_still_s = {False: 0, True: 0}  # waiting for its programmer?
        self.growth = {}  # by process: KiB, descriptors
        self.flash = self.profile.flash()
        self.page = PAGE_BYTES[self.profile.part]
        self.pages = {at // self.page for at in self.flash}
        self.sites = [entry["site"] for entry in self.jig["sites"]]
        self.drivers = {entry["site"]: entry["programmer"] for entry in self.jig["sites"]}
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
        found = Faults(fault for fault in self.jig["faults"] if id(fault) in mine)
        found.driver = self.drivers[site]
        return found


def rows(log, sql):
    base = sqlite3.connect("file:%s?mode=ro" % log, uri=True)
    base.row_factory = sqlite3.Row
    found = [dict(row) for row in base.execute(sql)]
    base.close()
    return found


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


# --- one board ---

def may_change(fault, driver):
    """What each protocol leaves open stands at the top of its driver. A doubled second byte of a
    fuse write makes another value everywhere but where a checksum stands; bytes that are lost make
    none. USB itself sees to it that no byte is lost or comes twice: this bench takes them out
    behind its checks."""
    kind, wire = fault["fault"], fault.get("wire")
    if kind == "duplicate-packet" or (kind in WIRE_KINDS and wire == "to-board"):
        return True
    if kind not in WIRE_KINDS or wire != "to-programmer":
        return False
    return (kind == "flip" or driver in USB_DRIVERS or
            (kind == "doubled-byte" and driver != "stk500v2"))


def may_send_anything(faults):
    """May the board get what the station never sent? Flipped bits can, and on MOSI a lost byte
    makes the board take the next instruction's first byte for this one's last."""
    return any(may_change(fault, faults.driver) for fault in faults)


def hears_badly(faults):
    """May the board take what it gets for something else? SCK is too fast for its clock, which is
    not the profile's: that of another part, too, is known only when it has told who it is."""
    return any(fault["fault"] in ("slow-clock", "no-crystal", "wrong-part") for fault in faults)


def is_given_half_a_command(faults):
    """Did somebody leave a command half sent? Whoever gets the programmer back into step ends it, and
    if it wrote a page, a page is written that is nobody's attempt."""
    return any(fault["fault"] == "wrong-mode" for fault in faults)


def reads_badly(faults):
    """May the fuses have been read, twice alike, as those of a faster clock? Then SCK is tried that
    the board does not answer at. A first STK500 tries it 32 times in one go."""
    return any(fault["fault"] in ("loose-contact", "dead", "pulled", "power-loss", "old-reply") or
               fault.get("wire", "").startswith("from-") for fault in faults)


def memory(record, name):
    return bytes.fromhex(record[name]).ljust(record[name + "_size"], b"\xff")


def judge_flash(judge, record, faults, about):
    flash = memory(record, "flash")
    wrong = [at for at, byte in judge.flash.items() if flash[at] != byte]
    judge.check(not wrong, "passed with wrong flash", about, wrong[:4])
    stray = [at for at, byte in enumerate(flash) if byte != 0xFF and at not in judge.flash]
    far = [at for at in stray if at // judge.page not in judge.pages]
    # A page that no image touches is not read back, unless the profile says so.
    if stray and far == stray and not judge.profile.whole and may_send_anything(faults):
        judge.seen["passed with bytes in pages that no image touches"] += 1
    else:
        judge.check(not stray, "passed with flash outside the images", about, stray[:4])


def is_unseen(judge, site):
    """Do the lock bits that a board comes with hide what its EEPROM holds?"""
    lock = (judge.profile.found(site) or {}).get("lock", 0xFF)
    return judge.profile.eeprom in KEPT and lock & 3 < 2


def judge_eeprom(judge, record, faults, about):
    eeprom = memory(record, "eeprom")
    wanted = judge.profile.eeprom_bytes(record["site"]).ljust(len(eeprom), b"\xff")
    # What could not be read before cannot be compared; the pass says so.
    if eeprom != wanted and is_unseen(judge, record["site"]) and may_send_anything(faults):
        judge.seen["passed with another EEPROM than was kept, unseen"] += 1
    else:
        judge.check(eeprom == wanted, "passed with wrong EEPROM", about)


def judge_pass(judge, record, faults, about):
    judge.check(record["part"] == judge.profile.part, "passed another part", about)
    if record["part"] != judge.profile.part:
        return
    judge_flash(judge, record, faults, about)
    judge_eeprom(judge, record, faults, about)
    for fuse, values in judge.profile.fuses.items():
        judge.check(record[fuse] & values["mask"] in
                    [value & values["mask"] for value in values["pass"]],
                    "passed with wrong " + fuse, about, record[fuse])


def judge_sent(judge, record, attempts, decisions, faults, about):
    """What the board got, as long as wires cannot have changed it."""
    if record["part"] is None or may_send_anything(faults):
        return
    for write in record["fuse_writes"]:
        values = judge.profile.fuses.get(write["fuse"])
        judge.check(values is not None and
                    (write["value"] ^ values["write"]) & values["mask"] == 0,
                    "a fuse write that the profile does not call for", about, write)
        judge.check(any(decisions.get((attempt["attempt"], write["fuse"])) in
                        ("written", "unknown") for attempt in attempts),
                    "a fuse write that the log does not know of", about, write)
    counts = record["counts"]
    judge.check(not is_changed(record) or record["part"] == judge.profile.part,
                "changed another part", about)
    judge.check(counts["too_fast"] == 0 or hears_badly(faults) or reads_badly(faults),
                "SCK too fast", about)
    judge.check(not is_changed(record) or is_given_half_a_command(faults) or
                any(attempt["touched"] != "none" for attempt in attempts),
                "a board that was changed, but the log says untouched", about, counts)


def is_changed(record):
    counts = record["counts"]
    return bool(counts["erases"] or counts["flash_pages"] or counts["eeprom_writes"] or
                record["fuse_writes"])


def judge_already(judge, record, attempt, faults, about):
    if attempt["verification"] != "already":
        return
    judge.seen["passed as already programmed"] += 1
    judge.check(not is_changed(record) or may_send_anything(faults), "changed one that was done",
                about, record["counts"])


def judge_unseen(judge, record, attempt, about):
    says = "not proved" in (attempt["detail"] or "")
    judge.check(says == is_unseen(judge, record["site"]), "what a pass says of a kept EEPROM", about)


def judge_lamp(judge, record, attempts, done, about):
    """One row per board, and a lamp that says the same; a contact that comes and goes makes the
    station take a board for the next one."""
    judge.check(record["lamp"] is None or
                record["lamp"] in [attempt["verdict"] for attempt in attempts],
                "a lamp without a row", about, record["lamp"])
    applied = any(fault["applied"] for fault in record["faults"])
    whole = [attempt for attempt in done if attempt["started_at_us"] >= record["in_us"]]
    judge.check(applied or len(whole) <= 1, "a sound board was done twice", about)
    judge.check(applied or record["part"] is None or done or record["lamp"] is None,
                "a sound board without a row", about)
    right = "refused" if judge.profile.is_refused(record["site"]) else "pass"
    for attempt in whole:
        judge.check(applied or attempt["verdict"] == right, "what became of a sound board", about)


def judge_board(judge, record, attempts, decisions):
    """`attempts`: that were at work while the board was in."""
    faults = judge.faults_of(record["site"], record["board"])
    about = {"site": record["site"], "board": record["board"], "faults": record["faults"],
             "attempts": [[attempt[key] for key in ("attempt", "verdict", "failure", "detail")]
                          for attempt in attempts]}
    done = [attempt for attempt in attempts if attempt["ended_at_us"] <= record["out_us"]]
    for attempt in done:
        if attempt["verdict"] == "pass":
            attempt["judged"] += 1
            judge_pass(judge, record, faults, about)
            judge_unseen(judge, record, attempt, about)
            judge_already(judge, record, attempt, faults, about)
    judge_lamp(judge, record, attempts, done, about)
    judge_sent(judge, record, attempts, decisions, faults, about)


def describe(fault):
    if fault["fault"] not in ("flip", "lost-byte"):
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


class Timeline:
    """The attempts on one site, asked for by the times of its boards, which follow each other."""

    def __init__(self, attempts):
        self.attempts, self.first = attempts, 0

    def during(self, record):
        while (self.first < len(self.attempts) and
               self.attempts[self.first]["ended_at_us"] < record["in_us"]):
            self.first += 1
        found = []
        for attempt in self.attempts[self.first:]:
            if attempt["started_at_us"] > record["out_us"]:
                break
            found.append(attempt)
        return found


def judge_boards(judge, by_site):
    """A turn that ended without a lamp had an empty place, or a board that did not answer at once,
    or the run ended. A pass is judged by the board that was in at its end."""
    decisions = {(row["attempt"], row["fuse"]): row["decision"]
                 for row in rows(judge.run.log, "SELECT attempt, fuse, decision FROM fuse_writes")}
    timelines = {site: Timeline(by_site[site]) for site in judge.sites}
    with open(judge.run.record) as file:
        for line in file:
            record = json.loads(line)
            note_faults(judge, record)
            judge_board(judge, record, timelines[record["site"]].during(record), decisions)
    for attempt in sum(by_site.values(), []):
        judge.check(attempt["verdict"] != "pass" or attempt["judged"] == 1,
                    "a pass without a board", attempt["site"], attempt["attempt"])
        judge.seen["verdict " + attempt["verdict"]] += 1
        if attempt["failure"] not in (None, "none"):
            judge.seen["failure " + attempt["failure"]] += 1


# --- sites that went out, and sites that stood still ---

def is_lost_for_long(judge, site):
    """Has this site a fault that keeps its programmer away for longer than anybody waits?"""
    return any(fault["fault"] == "port-gone" and fault["for"].endswith("00 s") or
               fault.get("rate") == "1" for fault in judge.jig["faults"]
               if fault.get("site", site) == site)


def has_garbled_programmer(judge, site):
    """May the programmer not even be recognized, when the run begins?"""
    return any(fault["fault"] in WIRE_KINDS and fault["wire"].endswith("programmer") or
               fault["fault"] in ("late-reply", *SERIAL_KINDS, *USB_KINDS)
               for fault in judge.faults_of(site, 1))


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


def end_of_need(judge, events, attempts):
    """When no more boards were needed: from then on sites that have finished theirs rest."""
    passes = [attempt["ended_at"] for attempt in attempts if attempt["verdict"] == "pass"]
    return max(passes if len(passes) == judge.run.count else [event["at"] for event in events])


def moments_of(judge, events, by_site, out):
    """By site: when something was told of it, and whether it waited for its programmer then."""
    end = end_of_need(judge, events, sum(by_site.values(), []))
    begin = min(event["at"] for event in events if event["kind"] == "go")
    moments = {site: [(begin, False), (out.get(site, end), False)] for site in judge.sites}
    for site, attempts in by_site.items():
        moments[site] += [(attempt[key], False) for attempt in attempts
                          for key in ("started_at", "ended_at")]
    for event in events:
        if (found := re.match(r"site (\d+): ", event["detail"] or "")) is not None:
            moments[int(found[1])].append((event["at"], event["kind"] == "programmer-lost"))
    return {site: sorted((seconds(at), waits) for at, waits in mine)
            for site, mine in moments.items()}


def judge_stillness(judge, events, by_site, out):
    """Every site that is not out went on to the end."""
    for site, moments in moments_of(judge, events, by_site, out).items():
        for (before, waits), (after, _) in zip(moments, moments[1:]):
            still_s = after - before
            judge.longest_still_s[waits] = max(judge.longest_still_s[waits], still_s)
            judge.check(still_s < STILL_MAX_S[waits], "a site stood still", site, round(still_s, 1),
                        "waiting for its programmer" if waits else "")


def has_begun(run):
    """Did it come so far that boards were done? Else there is nothing to judge."""
    try:
        return bool(rows(run.log, "SELECT 1 FROM events WHERE kind = 'go'"))
    except sqlite3.Error:
        return False


def judge_run(judge):
    run = judge.run
    attempts = rows(run.log, "SELECT a.*, started_at_us, ended_at_us, 0 AS judged FROM attempts a "
                    "JOIN attempt_opened USING (attempt) JOIN attempt_closed USING (attempt) "
                    "ORDER BY attempt")
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
