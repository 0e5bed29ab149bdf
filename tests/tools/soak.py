"""Makes the jigs of the soak test, and judges its runs: what the simulated bench says about each
board against what the station's log says about it, and both against the profile.

usage: soak.py jig PART SEED SILENT_SITE >JIG
       soak.py image BINARY…            writes the binaries that the profiles are made of
       soak.py judge RUN.json STATUS    appends what it saw to the run's "seen" file
       soak.py kinds SEEN               were all faults applied?
"""
import collections
import json
import math
import random
import sqlite3
import sys

SITES = 16
BOARDS_WITH_FAULTS = 50  # of each site; later ones are sound
MODELS = ["arduino-uno-isp", "pro-micro-isp", "teensy-2.0-isp"]
PARTS = ["ATmega328P", "ATmega32U4", "ATmega32A", "ATmega2560", "ATtiny85"]
WIRES = ["to-programmer", "from-programmer", "to-board", "from-board"]
# Where on a wire, besides anywhere: fuse and lock writes, pages, reads; each is a whole command.
PATTERNS = {
    "to-programmer": [("56 AC A0", 6), ("56 AC A8", 6), ("56 AC A4", 6), ("56 AC E0", 6),
                      ("56 AC 80", 6), ("64 00 80 46", 133), ("74 01 00 46", 5), ("55", 4),
                      ("51 20", 2)],
    "from-programmer": [("14 41 56 52", 9), ("15 14 10", 3), ("14 10", 4)],
    "to-board": [("AC A0", 4), ("AC A8", 4), ("AC A4", 4), ("AC E0", 4), ("AC 80", 4), ("4C", 4),
                 ("30 00", 4)],
    "from-board": [("30 00", 4), ("58 08", 4), ("50 00", 4), ("53", 3)],
}


# --- jigs ---

def wire_fault(chance, kind):
    fault = {"fault": kind, "wire": chance.choice(WIRES)}
    how = chance.choice(["rate", "offset", "match"])
    if how == "rate":
        fault["rate"] = "%.7f" % 10 ** chance.uniform(math.log10(3e-5), -3)
    elif how == "offset":
        fault["offset"] = int(10 ** chance.uniform(0, 4))
    else:
        fault["match"], length = chance.choice(PATTERNS[fault["wire"]])
        fault["offset"] = chance.randrange(length)
    if how != "rate":
        fault["times"] = chance.choice([1, 1, 3])
    if kind == "flip" and chance.random() < 0.5:
        fault["mask"] = chance.randrange(1, 256)
    return fault


def board_fault(chance, part):
    kind = chance.choices(["no-board", "wrong-part", "flip", "lost-byte", "hang", "dead"],
                          [1, 1, 4, 4, 1, 1])[0]
    if kind in ("flip", "lost-byte"):
        return wire_fault(chance, kind)
    fault = {"fault": kind}
    if kind == "wrong-part":
        fault["part"] = chance.choice([other for other in PARTS if other != part])
    if kind in ("hang", "dead"):
        fault["after"] = int(10 ** chance.uniform(0, 3.9))
    return fault


def fuse_byte_lost(site, turn):
    """Every byte of every fuse and lock write is lost once, before anything else goes wrong."""
    patterns = PATTERNS["to-programmer"][:4]
    index = (turn * SITES + site - 1) % (6 * len(patterns))
    return {"fault": "lost-byte", "wire": "to-programmer", "match": patterns[index // 6][0],
            "offset": index % 6}


def make_jig(part, seed, silent_site):
    """JSON is YAML, and the judge can read it, too."""
    chance = random.Random(seed)
    faults = [
        {"site": 1, "fault": "flip", "wire": "from-programmer", "rate": "0.00002"},
        {"site": 2, "fault": "lost-byte", "wire": "to-programmer", "rate": "0.00002"},
        {"site": 3, "fault": "flip", "wire": "from-board", "rate": "0.00002"},
    ]
    for site in range(1, SITES + 1):
        faults += [{"site": site, "board": board, **fuse_byte_lost(site, board - 1)}
                   for board in (1, 2)]
        for board in range(3, BOARDS_WITH_FAULTS + 1):
            for _ in range(chance.choice([0, 0, 0, 1, 1, 2])):
                faults.append({"site": site, "board": board, **board_fault(chance, part)})
    if silent_site:
        faults.append({"site": silent_site, "board": 3, "fault": "lost-byte",
                       "wire": "to-programmer", "rate": "1"})
    return {
        "jig": "soak",
        "bench": {"simulated": True, "pace": "fast", "seed": seed},
        "contact": {"present": "0 ms", "gone": "0 ms", "poll": "10 ms"},
        "sites": [{"site": site, "programmer": "stk500v1", "model": MODELS[site % len(MODELS)],
                   "board": part, "crystal": "16 MHz"} for site in range(1, SITES + 1)],
        "faults": faults[:1000],
    }


def make_images(application, top, words):
    """Pages of chance, one blank, one like fuse writes to ArduinoISP, one of end bytes."""
    chance = random.Random(1)
    pages = [chance.randbytes(128) for _ in range(22)]
    pages[5] = b"\xff" * 128
    pages[9] = bytes.fromhex("56aca000c0c0 56ac8000000020").ljust(128, b"\x56")
    pages[13] = b"\x20" * 128
    for path, data in ((application, b"".join(pages) + b"the end"), (top, chance.randbytes(200)),
                       (words, chance.randbytes(37))):
        with open(path, "wb") as file:
            file.write(data)


# --- judging ---

class Judge:
    def __init__(self, run):
        self.run = run
        self.jig = load(run["jig"])
        self.wrong = []
        self.seen = collections.Counter()

    def check(self, right, text, *about):
        if not right:
            self.wrong.append(" ".join([text] + [json.dumps(one) for one in about]))

    def faults_of(self, site, board):
        return [fault for fault in self.jig["faults"]
                if fault.get("site", site) == site and fault.get("board", board) == board]


def load(path):
    with open(path) as file:
        return json.load(file)


def rows(log, sql):
    base = sqlite3.connect("file:%s?mode=ro" % log, uri=True)
    base.row_factory = sqlite3.Row
    found = [dict(row) for row in base.execute(sql)]
    base.close()
    return found


def may_send_anything(faults):
    """May the board get what the station never sent? Flipped bits can, and on MOSI a lost byte
    makes the board take the next instruction's first byte for this one's last."""
    return any(fault["fault"] in ("flip", "lost-byte") and
               (fault["wire"] == "to-board" or
                (fault["wire"] == "to-programmer" and fault["fault"] == "flip"))
               for fault in faults)


def memory(record, name):
    held = bytes.fromhex(record[name])
    return held.ljust(record[name + "_size"], b"\xff")


def expected_flash(run, size):
    """The bytes that the images give, by address."""
    wanted = {}
    for image in run["images"]:
        with open(image["file"], "rb") as file:
            data = file.read()
        wanted.update(enumerate(data, image["start"]))
    assert max(wanted) < size
    return wanted


def judge_pass(judge, record, attempt, faults):
    run = judge.run
    about = {"site": record["site"], "board": record["board"], "attempt": attempt["attempt"]}
    judge.check(record["part"] == run["part"], "passed another part", about)
    if record["part"] != run["part"]:
        return
    flash = memory(record, "flash")
    wanted = expected_flash(run, len(flash))
    wrong = [at for at, byte in wanted.items() if flash[at] != byte]
    judge.check(not wrong, "passed with wrong flash", about, wrong[:4])
    stray = [at for at, byte in enumerate(flash) if at not in wanted and byte != 0xFF]
    # Outside the images nothing is read back, unless the profile says so.
    if stray and not run["whole"] and may_send_anything(faults):
        judge.seen["passed with bytes outside the images"] += 1
    else:
        judge.check(not stray, "passed with flash outside the images", about, stray[:4])
    eeprom = memory(record, "eeprom")
    judge.check(eeprom == bytes.fromhex(run["eeprom"]).ljust(len(eeprom), b"\xff"),
                "passed with wrong EEPROM", about)
    for fuse, values in run["bytes"].items():
        judge.check(record[fuse] & values["mask"] in
                    [value & values["mask"] for value in values["pass"]],
                    "passed with wrong " + fuse, about, record[fuse])


def judge_sent(judge, record, attempt, faults, decisions):
    """What the board got, as long as wires cannot have changed it."""
    about = {"site": record["site"], "board": record["board"], "attempt": attempt["attempt"],
             "verdict": attempt["verdict"], "faults": record["faults"]}
    if record["part"] is None or may_send_anything(faults):
        return
    for write in record["fuse_writes"]:
        values = judge.run["bytes"].get(write["fuse"])
        judge.check(values is not None and write["value"] == values["write"],
                    "a fuse write that the profile does not call for", about, write)
        judge.check(decisions.get((attempt["attempt"], write["fuse"])) in ("written", "unknown"),
                    "a fuse write that the log does not know of", about, write)
    counts = record["counts"]
    changed = bool(counts["erases"] or counts["flash_pages"] or counts["eeprom_writes"] or
                   record["fuse_writes"])
    judge.check(not changed or attempt["touched"] != "none",
                "a board that was changed, but the log says untouched", about, counts)
    judge.check(not changed or record["part"] == judge.run["part"], "changed another part", about)
    judge.check(counts["too_fast"] == 0, "SCK too fast", about)


def judge_board(judge, record, attempt, decisions):
    faults = judge.faults_of(record["site"], record["board"])
    about = {"site": record["site"], "board": record["board"], "attempt": attempt["attempt"],
             "verdict": attempt["verdict"], "failure": attempt["failure"],
             "detail": attempt["detail"]}
    applied = [fault for fault in record["faults"] if fault["applied"]]
    if attempt["verdict"] == "pass":
        judge_pass(judge, record, attempt, faults)
    judge.check(applied or attempt["verdict"] == "pass", "a sound board did not pass", about)
    judge_sent(judge, record, attempt, faults, decisions)
    judge.seen["verdict " + attempt["verdict"]] += 1


def note_faults(judge, record):
    faults = judge.faults_of(record["site"], record["board"])
    judge.check([fault["fault"] for fault in faults] ==
                [fault["fault"] for fault in record["faults"]],
                "the record's faults", record["site"], record["board"])
    for fault, told in zip(faults, record["faults"]):
        how = "" if "wire" not in fault else " %s by %s" % (
            fault["wire"], "rate" if "rate" in fault else "position")
        judge.seen["fault " + fault["fault"] + how] += told["applied"] != 0


def judge_rows(judge, status):
    log = judge.run["log"]
    opened = rows(log, "SELECT count(*) AS n, count(DISTINCT attempt) AS different "
                  "FROM attempt_opened")[0]
    closed = rows(log, "SELECT count(*) AS n, count(DISTINCT attempt) AS different "
                  "FROM attempt_closed")[0]
    judge.check(opened["n"] > 0 and opened == closed and opened["n"] == opened["different"],
                "rows of attempts", opened, closed)
    out = rows(log, "SELECT detail FROM events WHERE kind = 'site-out'")
    passed = rows(log, "SELECT count(*) AS n FROM attempts WHERE verdict = 'pass'")[0]["n"]
    all_out = len(out) == len(judge.jig["sites"])
    judge.check(all_out or passed == judge.run["count"], "boards that passed", passed)
    judge.check(len(out) >= judge.run["sites_out"], "sites out", out)
    programmer = rows(log, "SELECT count(*) AS n FROM attempts WHERE failure LIKE 'programmer-%'")
    failed = rows(log, "SELECT count(*) AS n FROM attempts WHERE verdict <> 'pass'")
    wanted = 4 if out or programmer[0]["n"] else 1 if failed[0]["n"] else 0
    judge.check(status == wanted, "exit status", status, wanted)
    judge.seen["sites out"] += len(out)


def judge_run(run, status):
    judge = Judge(run)
    judge_rows(judge, status)
    attempts = collections.defaultdict(list)
    for attempt in rows(run["log"], "SELECT * FROM attempts ORDER BY attempt"):
        attempts[attempt["site"]].append(attempt)
    decisions = {(row["attempt"], row["fuse"]): row["decision"]
                 for row in rows(run["log"], "SELECT * FROM fuse_writes")}
    # Each attempt ends with a lamp, and a lamp ends a board's turn. A turn that ended without one
    # had no attempt: an empty place, a board that was dead at once, or the run's end.
    boards = collections.defaultdict(list)
    with open(run["record"]) as file:
        for line in file:
            record = json.loads(line)
            note_faults(judge, record)
            if record["lamp"] is not None:
                boards[record["site"]].append(record)
    for site in set(attempts) | set(boards):
        lamps = [record["lamp"] for record in boards[site]]
        verdicts = [attempt["verdict"] for attempt in attempts[site]]
        judge.check(lamps == verdicts, "lamps and verdicts", site, lamps, verdicts)
        for record, attempt in zip(boards[site], attempts[site]):
            judge_board(judge, record, attempt, decisions)
    for attempt in sum(attempts.values(), []):
        if attempt["failure"] is not None and attempt["failure"] != "none":
            judge.seen["failure " + attempt["failure"]] += 1
    return judge


def check_kinds(seen):
    kinds = ["no-board", "wrong-part", "hang", "dead"]
    kinds += ["%s %s by %s" % (kind, wire, how) for kind in ("flip", "lost-byte")
              for wire in WIRES for how in ("rate", "position")]
    return [kind for kind in kinds if seen["fault " + kind] == 0]


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "jig":
        jig = make_jig(arguments[0], int(arguments[1]), int(arguments[2]))
        json.dump(jig, sys.stdout, indent=1)
        return 0
    if command == "image":
        make_images(*arguments)
        return 0
    if command == "judge":
        judge = judge_run(load(arguments[0]), int(arguments[1]))
        with open(judge.run["seen"], "a") as file:
            file.write(json.dumps(judge.seen) + "\n")
        print("\n".join(judge.wrong[:40]))
        return 1 if judge.wrong else 0
    seen = collections.Counter()
    with open(arguments[0]) as file:
        for line in file:
            seen.update(json.loads(line))
    for what in sorted(seen):
        print("%6d %s" % (seen[what], what))
    missing = check_kinds(seen)
    if missing:
        print("never applied: " + ", ".join(missing))
    return 1 if missing else 0


sys.exit(main())
