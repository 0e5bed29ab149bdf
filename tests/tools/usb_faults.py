"""The table of what USB programmers and their boards may be up to: what the station makes of it.

usage: usb_faults.py make DIRECTORY          writes profiles, images and jigs; prints, for each run,
                                             its name, its profile and how many boards pass in it
       usb_faults.py judge DIRECTORY         compares logs and the bench's records with the table

usb_lane.py does the same in the machine with USB, over a real kernel.

Each row is a site of a simulated jig with a fault on its first board; the second one is sound, and
so is its programmer again. A run has some of them side by side, and between them sound sites, which
must not notice.
"""
import json
import os
import sys

import faults
from faults import IDENTIFY, LOST, Judge, Row, dead, fault

PROGRAMMERS = {"usbasp-2011": "usbasp", "usbtinyisp": "usbtiny"}
ASP, TINY = PROGRAMMERS
WITNESSES = [ASP, TINY, "usbasp-2009", "pocket-avr", "usbasp-3mhz", "arduino-isp",
             "usbasp-dioannidis", "usbasp-2011-protostack"]
ROW_SITES = 12  # of each run
BACK_SECONDS = 30  # after it is there again, on a machine that has much else to do
LANE_SLOWER = 5  # emulated CPUs

faults.PROFILES["large"] = {"part": "ATmega2560", "low": 0xF7, "high": 0x99, "extended": 0xFD,
                            "lock": 0xFF, "eeprom": "erase"}
faults.PARTS["ATmega2560"] = {"new": {"low": 0x62, "high": 0x99, "extended": 0xFF, "lock": 0xFF},
                              "masks": {"low": 0xFF, "high": 0xFF, "extended": 0x07, "lock": 0x3F}}
faults.DONE["large"] = {"fused"}


class UsbRow(Row):
    """Besides: `back`, the programmer was lost and came back. `then`: what becomes of the second
    board, "pass", or None: the site goes out, or waits for its programmer, until nobody needs it. `out`: the words that tell
    why the site takes no board at all. `in_reset`: the first board is not let go. `lane`: also over the kernel."""

    def __init__(self, name, troubles, verdict, failure=None, touched="none", step=None, back=False,
                 then="pass", out=None, in_reset=False, lane=False, seconds=60, **about):
        super().__init__(name, troubles, verdict, failure, touched, step, seconds=seconds, **about)
        self.back, self.then, self.out = back, then, out
        self.in_reset, self.lane = in_reset, lane
        self.programmer = programmer_of(self.model)

    def passes(self):
        return (self.verdict == "pass") + (self.then == "pass")


def programmer_of(model):
    return "usbtiny" if model in (TINY, "pocket-avr", "arduino-isp") or "trinket" in model else \
        "usbasp"


def both(name, troubles, verdict, *about, **more):
    """The same of both programmers; what differs is given by model, in `asp` and `tiny`."""
    own = {ASP: more.pop("asp", {}), TINY: more.pop("tiny", {})}
    keys = ("failure", "touched", "step")
    for model, differs in own.items():
        known = {"troubles": troubles, "verdict": verdict, **dict(zip(keys, about)), **more,
                 **differs}
        yield UsbRow("%s, %s" % (name, model), model=model, **known)


def session(number, after=0):
    """The contact is lost when the board is enabled for the n-th time: first with care, then as
    fast as its fuses let it, then with its new fuses. USBasps send AC 53 twice each time."""
    return {model: {"troubles": [dead("AC 53", nth=each * (number - 1) + 1,
                                      **({"after": after + each - 1} if after else {}))]}
            for model, each in ((ASP, 2), (TINY, 1))}


# What differs from LOST. An attempt that has not touched its board tries again, and then fails in
# the first step. USBasps do not tell that nobody took a page.
LOST_USB = {
    "attach": {"step": "attach"}, "identify": {"step": "attach"}, "read": {"step": "attach"},
    "open": {"step": "attach"},
    "speed": {"step": "attach"},
    "flash": {ASP: {"step": "eeprom"}},
    "reenter": {"step": "reenter"},
}
SESSIONS = {"speed": session(2), "reenter": session(3), "recheck": session(3, IDENTIFY + 1)}


def lost_rows():
    speed = (None, "fail", "contact-lost", "none", None)
    for step, (lost, verdict, failure, touched, failing) in {**LOST, "speed": speed}.items():
        own = {model: SESSIONS.get(step, {}).get(model, {}) for model in (ASP, TINY)}
        own[ASP] = {**own[ASP], **LOST_USB.get(step, {}).get(ASP, {})}
        yield from both("contact lost in %s" % step, [lost], verdict, failure, touched,
                        LOST_USB.get(step, {}).get("step", failing), asp=own[ASP], tiny=own[TINY],
                        applied=step != "release", held="profile" if verdict == "pass" else None,
                        lane=step == "flash")


GONE = {"failure": "programmer-gone", "back": True}


def gone(match, **about):
    return fault("port-gone", match=match, for_="700 ms", **about)


ROWS = [
    # The contact and the board.
    *both("no board", [fault("no-board")], "empty", "no-board", lane=True),
    *both("no supply", [fault("no-supply")], "empty", "no-board", held="new"),
    *both("no contact from the start", [dead()], "empty", "no-board", held="new"),
    *both("no contact from the start, MISO low", [dead(miso="low")], "empty", "no-board",
          held="new"),
    *both("no contact, MISO floating", [dead(miso="noise")], "empty", "no-board", held="new"),
    *both("wrong part", [fault("wrong-part", part="ATmega32U4")], "refused", "signature-mismatch",
          held="new", lane=True),
    *lost_rows(),
    *both("pulled in mid-flash", [fault("pulled", match="40", nth=100)], "fail", "contact-lost",
          "written", "flash", asp={"step": "eeprom"}),
    *both("power lost in mid-page", [fault("power-loss", match="4C", nth=3)], "fail",
          "contact-lost", "written", "flash", held="half", asp={"step": "eeprom"}),
    *both("flash page that stays blank", [fault("bad-page", address=0x100)], "fail",
          "verify-mismatch", "written", "verify"),
    *both("fuse that does not take", [fault("bad-fuse", fuse="low")], "fail", "fuse-mismatch",
          "fused", "fuses", held="flash"),
    *both("writes eight times as slow", [fault("slow-write", factor=8)], "pass", None, "locked",
          asp={"verdict": "fail", "failure": "verify-mismatch", "touched": "written"}),
    *both("no crystal", [fault("no-crystal")], "fail", "contact-lost", "fused", "reenter",
          held="flash"),

    # SCK.
    *both("clock of 128 kHz", [fault("slow-clock", clock="128 kHz")], "pass", None, "locked",
          held="profile", lane=True),
    *both("clock of 32 kHz", [fault("slow-clock", clock="32768 Hz")], "pass", None, "locked",
          held="profile", seconds=60),
    UsbRow("SCK that cannot be chosen, and is too fast", [], "fail", "programmer-too-old",
           model="usbasp-2005", then=None, held="new", lane=True),

    # The programmer and its port.
    *both("unplugged in identify", [gone("30 00", nth=4)], "fail", held="new", **GONE),
    *both("unplugged in mid-page", [gone("40", nth=100)], "fail", touched="written", step="flash",
          lane=True, **GONE),
    *both("unplugged in a fuse write", [gone("AC A4")], "fail", touched="fused", step="fuses",
          held="flash", **GONE),
    *both("unplugged in verify", [gone("20 00", nth=200)], "fail", touched="written", step="verify",
          held="flash", **GONE),
    *both("stall in mid-page", [fault("stall", match="40", nth=100)], "fail",
          "programmer-stalled", "written", "flash", back=True, lane=True),
    *both("stall in a fuse write", [fault("stall", match="AC A0")], "fail", "programmer-stalled",
          "fused", "fuses", back=True, held="flash"),
    *both("NAK for ever in mid-page", [fault("nak", match="40", nth=100)], "fail",
          "programmer-silent", "written", "flash", back=True, lane=True),
    *both("NAK for ever in a fuse write", [fault("nak", match="AC A4")], "fail",
          "programmer-silent", "fused", "fuses", back=True, held="flash"),
    *both("hangs in verify", [fault("hang", match="28 00", nth=100)], "fail", "programmer-silent",
          "written", "verify", then=None, in_reset=True),
    *both("short reply in identify", [fault("short-reply", match="30 00", nth=2)], "fail",
          "programmer-out-of-step", back=True, held="new"),
    *both("short reply in verify", [fault("short-reply", match="20 00", nth=200)], "fail",
          "programmer-out-of-step", "written", "verify", back=True, held="flash", lane=True),
    *both("short reply in a fuse write", [fault("short-reply", match="AC A0")], "fail",
          "programmer-out-of-step", "fused", "fuses", back=True, held="flash"),
    *both("restarts in mid-page", [fault("reset", match="40", nth=100)], "fail",
          "programmer-out-of-step", "written", "flash", back=True,
          # The page that was on its way already hangs a firmware that is not connected.
          asp={"back": False, "then": None}),
    *both("packet of a page twice",
          [fault("duplicate-packet", offset=300)], "fail", "verify-mismatch", "written", "verify",
          # It has more bytes then than were announced.
          asp={"failure": "programmer-stalled", "step": "flash", "back": True}),
    *both("bit turned in a page, on USB",
          [fault("flip", wire="to-programmer", offset=300, mask=0x10)], "fail", "verify-mismatch",
          "written", "verify"),
    *both("byte of a page lost, on USB", [fault("lost-byte", wire="to-programmer", offset=300)],
          "fail", "verify-mismatch", "written", "verify",
          asp={"failure": "programmer-silent", "step": "flash", "back": True}),
    *both("bit turned in a signature, on USB",
          [fault("flip", wire="from-programmer", match="30 00 1E", offset=2, mask=1)], "pass",
          None, "locked", held="profile", tries=2),
    *both("byte of a reply lost, on USB",
          [fault("lost-byte", wire="from-programmer", match="30 00 95", offset=2)], "fail",
          "programmer-out-of-step", back=True, held="new"),
    *both("reply of a fuse write with a bit turned, on USB",
          [fault("flip", wire="from-programmer", match="AC A4", offset=0, mask=1)], "fail",
          "contact-lost", "fused", "fuses"),
    *both("late replies when it is claimed", [], "pass", None, "locked", held="profile",
          asp={"troubles": [fault("late-reply", match="01 00 00 00", for_="1500 ms")]},
          tiny={"troubles": [fault("late-reply", match="55 AA 0F F0", for_="1500 ms")]}),
    *both("reply that is late", [fault("late-reply", offset=500, for_="150 ms")], "pass", None,
          "locked", held="profile"),

    # What is none, or too old.
    UsbRow("USBaspLoader", [], None, model="usbasploader", out="programmer-unknown: | "
           "USBaspLoader, the bootloader of a board, and no programmer", then=None, lane=True),
    UsbRow("an HID device that looks like a USBasp", [], None, model="usbhid-lookalike",
           out="programmer-unknown: | 'USBHID' by 'zhifengsoft' only looks like a USBasp",
           then=None),
    UsbRow("another V-USB device with USBasp's ids", [], None, model="vusb-ledcontrol",
           out="programmer-unknown: | 'LEDControl' by 'obdev.at' is no USBasp", then=None,
           lane=True),
    UsbRow("the bootloader of a Trinket", [], None, model="trinket-bootloader",
           out="programmer-unknown: | is the bootloader of a Trinket or Gemma board", then=None,
           lane=True),
    UsbRow("the bootloader of a Trinket that says it is a USBtiny", [], None,
           model="trinket-disguised",
           out="programmer-unknown: | is the bootloader of a Trinket or Gemma board", then=None),
    UsbRow("more flash than old firmware reaches", [], "fail", "programmer-too-old",
           model="usbasp-2005", profile="large", then=None, held="new", detail="64 KiB"),
]


# --- making ---

def runs(lane=False):
    """Rows by runs, of one profile each; a sound site first, in the middle and last."""
    made = []
    rows_of = [row for row in ROWS if row.lane or not lane]
    for profile in sorted({row.profile for row in rows_of}):
        rows = [row for row in rows_of if row.profile == profile]
        for start in range(0, len(rows), ROW_SITES):
            some = rows[start:start + ROW_SITES]
            middle = len(some) // 2
            made.append(("usb-%s-%d" % (profile, start // ROW_SITES), profile,
                         [None] + some[:middle] + [None] + some[middle:] + [None]))
    return made


def model_of(number, row, profile):
    if row:
        return row.model
    return ASP if profile == "large" else WITNESSES[number % len(WITNESSES)]


def make_site(number, row, profile):
    model = model_of(number, row, profile)
    return {"site": number, "programmer": programmer_of(model), "board": faults.part_of(profile),
            "crystal": "16 MHz", "model": model}


def make_jig(name, profile, sites):
    return {
        "jig": name,
        "bench": {"simulated": True, "pace": "fast", "seed": 1, "boards": 2},
        "contact": {"present": "0 ms", "gone": "0 ms", "poll": "20 ms"},
        "sites": [make_site(number, row, profile) for number, row in enumerate(sites, 1)],
        "faults": [dict(one, site=number, board=1) for number, row in enumerate(sites, 1)
                   for one in (row.faults if row else [])],
    }


def passes(sites):
    return sum(row.passes() if row else 2 for row in sites)


def make(directory, lane=False):
    for name, data in faults.images().items():
        faults.write(directory, name, "\n".join(faults.hex_records(data)) + "\n")
    for name, profile, sites in runs(lane):
        # Not knowing the clock they begin slowly, and so have a session more.
        faults.write(directory, profile + ".yaml", faults.profile_text(profile, crystal=False))
        faults.write(directory, name + ".jig", json.dumps(make_jig(name, profile, sites), indent=1))
        print(name, profile, passes(sites))


# --- judging ---

class Site:
    """What log and bench know about one site of a run."""

    def __init__(self, number, log, records):
        self.log = log
        self.attempts = faults.query(log, "SELECT * FROM attempts WHERE site = %d "
                                     "ORDER BY attempt" % number)
        self.records = {record["board"]: record for record in records if record["site"] == number}
        self.events = {}
        for event in faults.query(log, "SELECT kind, detail FROM events WHERE "
                                  "detail LIKE 'site %d:%%'" % number):
            self.events.setdefault(event["kind"], []).append(event["detail"])


def judge_out(judge, row, site):
    """Refused by name, before any board."""
    told = " ".join(site.events.get("site-out", []))
    judge.check(all(part in told for part in row.out.split("|")), row.name, "went out", told)
    judge.check(not site.attempts, row.name, "attempts", len(site.attempts))
    for record in site.records.values():
        judge.check(not record.get("counts", {}).get("frames"), row.name, "frames were sent")
        judge.check(record["lamp"] is None, row.name, "lamp", record["lamp"])
    print("%-60s %s" % (row.name, "out"))


def judge_board(judge, about, row, profile, attempt, record):
    faults.judge_board(judge, about, row if record["board"] == 1 else None, profile, attempt,
                       record)
    judge.check(record["lamp"] == attempt["verdict"], about, "lamp", record["lamp"])
    expected = bool(row and row.in_reset and record["board"] == 1)
    judge.check(record["in_reset"] == expected, about, "board", record["board"],
                "is held in reset" if record["in_reset"] else "is not held in reset")


def judge_second(judge, row, site):
    about = row.name + ", the next board"
    later = site.attempts[1:]
    if row.then is None:
        judge.check(not later, about, "was taken", [one["verdict"] for one in later])
        return
    judge.check([one["verdict"] for one in later] == ["pass"], about,
                [(one["verdict"], one["failure"], one["detail"]) for one in later])


def judge_programmer(judge, row, site):
    kinds = {kind: len(site.events.get(kind, [])) for kind in ("programmer-lost",
                                                              "programmer-back", "site-out")}
    lost = row.back or row.then != "pass"
    judge.check(bool(kinds["programmer-lost"]) == lost, row.name, "lost its programmer", kinds)
    judge.check(kinds["programmer-back"] >= row.back, row.name, "did not get it back", kinds)
    judge.check(row.then is None or not kinds["site-out"], row.name, "out",
                site.events.get("site-out"))
    if row.back and len(site.attempts) > 1:
        away = sum(1 for one in row.faults if one["fault"] == "port-gone")
        took = faults.query(site.log, "SELECT (julianday(b.started_at) - julianday(a.ended_at)) * "
                            "86400 AS s FROM attempts a, attempts b WHERE a.attempt = %d AND "
                            "b.attempt = %d" % tuple(one["attempt"] for one in
                                                     site.attempts[:2]))[0]["s"]
        judge.check(took <= away + BACK_SECONDS, row.name, "was not back for seconds", took)


def judge_site(judge, row, profile, site, about):
    for number, attempt in enumerate(site.attempts, 1):
        judge.check(number in site.records, about, "no record of board", number)
        if number in site.records:
            judge_board(judge, about, row, profile, attempt, site.records[number])
    if row is None:
        for attempt in site.attempts:
            judge.check(attempt["verdict"] == "pass" and attempt["tries"] == 1 and
                        faults.seconds_of(attempt, site.log) < faults.WITNESS_SECONDS, about,
                        "disturbed", attempt["verdict"], attempt["failure"], attempt["detail"])
        judge.check(len(site.attempts) == 2, about, "boards", len(site.attempts))
        return
    judge.check(site.attempts, about, "no attempt")
    if site.attempts and 1 in site.records:
        faults.judge_row(judge, row, site.attempts[0], site.records[1], site.log)
        judge_second(judge, row, site)
        judge_programmer(judge, row, site)


def judge_run(judge, directory, name, profile, sites):
    log = os.path.join(directory, name + ".sqlite")
    with open(os.path.join(directory, name + ".record")) as file:
        records = [json.loads(line) for line in file]
    for number, row in enumerate(sites, 1):
        site = Site(number, log, records)
        about = row.name if row else "%s, site %d: %s with %s" % (
            name, number, faults.WITNESS, model_of(number, row, profile))
        if row and row.out:
            judge_out(judge, row, site)
        else:
            judge_site(judge, row, profile, site, about)


def judge(directory, lane=False):
    """How many things are wrong, which are printed."""
    found = Judge()
    if lane:
        faults.WITNESS_SECONDS *= LANE_SLOWER
    for name, profile, sites in runs(lane):
        for row in sites:
            if row and lane:
                row.seconds *= LANE_SLOWER
        judge_run(found, directory, name, profile, sites)
    print("\n".join(found.wrong))
    return len(found.wrong)


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2])
        return 0
    return 1 if judge(sys.argv[2]) else 0


if __name__ == "__main__":
    sys.exit(main())
