"""The table of faults: what the station makes of each one.

usage: faults.py make DIRECTORY SOURCE   writes profiles, images and jigs; prints the runs' names
       faults.py judge DIRECTORY         compares logs and the bench's records with the table

Each row is a site of a simulated jig with a fault on its first board. A run has some of them side by
side, and between them sound sites, which must not notice. Sites do one board each.
"""
import json
import os
import random
import re
import sqlite3
import sys

PAGE = 128
# What a new one holds, and the bits that exist.
PARTS = {
    "ATmega328P": {"new": {"low": 0x62, "high": 0xD9, "extended": 0xFF, "lock": 0xFF},
                   "masks": {"low": 0xFF, "high": 0xFF, "extended": 0x07, "lock": 0x3F}},
    "ATtiny12": {"new": {"fuse": 0x52, "lock": 0xFF}, "masks": {"fuse": 0xFF, "lock": 0x06}},
}
PART = "ATmega328P"
# By name: what the profile says, besides the flash image. `plain` writes and locks all, so that
# most steps of an attempt are taken; `open` leaves as many bytes at FF as it can: they look like an
# empty place. `blank` is what a new board carries already, also all FF.
EEPROM_FILE = {"file": "eeprom.hex"}
PROFILES = {
    "plain": {"low": 0xF7, "high": 0xD9, "extended": 0xFD, "lock": 0xFC, "eeprom": EEPROM_FILE,
              "retry": {"contact": 3, "verify": 0}},
    "open": {"low": 0xFF, "high": 0xD9, "extended": 0xFF, "lock": 0xFF, "eeprom": EEPROM_FILE,
             "retry": {"contact": 3, "verify": 1}},
    "keep": {"low": 0xF7, "high": 0xD1, "extended": 0xFD, "lock": 0xFF, "eeprom": {"keep": "restore"}},
    "blank": {"low": 0x62, "high": 0xD9, "extended": 0xFF, "lock": 0xFF, "eeprom": "erase",
              "if_already": "pass", "flash": "blank.hex", "crystal": False},
    # DWEN last of all: before lock bits that would keep it out, after others.
    "door": {"low": 0xF7, "high": 0x99, "extended": 0xFD, "lock": 0xFC, "eeprom": "erase",
             "risks": ["dwen", "lock-forbids"]},
    "door-last": {"low": 0xF7, "high": 0x99, "extended": 0xFD, "lock": 0xCF, "eeprom": "erase",
                  "risks": ["dwen"]},
    # No pages, nothing to ask for the end of a write but the byte itself.
    "old": {"part": "ATtiny12", "fuse": 0xD2, "lock": 0xF9, "eeprom": EEPROM_FILE,
            "flash": "old.hex", "crystal": False},
}
WITNESS = "a sound board"
WITNESS_SECONDS = 60  # far more than it takes, for a machine that has much else to do
ROW_SITES = 12  # of each run

UNO = "arduino-uno-isp"
MICRO = "pro-micro-isp"
TEENSY = "teensy-2.0-isp"


BLANK = b"\xff" * (4 * PAGE)


def images():
    """Flash with a blank page within and one that must be written byte by byte, others, and
    EEPROM."""
    chance = random.Random(1)
    pages = [chance.randbytes(PAGE) for _ in range(8)]
    pages[3] = b"\xff" * PAGE
    pages[6] = bytes.fromhex("56aca000c0c0").ljust(PAGE, b"\x37")
    return {"flash.hex": b"".join(pages) + b"the end", "blank.hex": BLANK, "old.hex": pages[0],
            "eeprom.hex": chance.randbytes(40)}


class Row:
    """What is wrong, and what must come of it. `failure` may be several. `step` is the one that
    fails. `held`: what the board itself holds, see HELD. `found`: what it carries already, as a jig
    file says it. `seconds`: the attempt ends, many times what an idle machine takes. What is left
    open by None must still fit together, see judge_fit()."""

    def __init__(self, name, faults, verdict, failure=None, touched="none", step=None, held=None,
                 seconds=60, model=MICRO, profile="plain", applied=True, detail="", tries=None,
                 pace="fast", found=None):
        self.name, self.faults, self.verdict = name, faults, verdict
        self.failures = failure if isinstance(failure, list) else [failure or "none"]
        self.touched, self.step, self.held = touched, step, held
        self.seconds, self.model, self.profile = seconds, model, profile
        self.applied, self.detail, self.tries, self.pace = applied, detail, tries, pace
        self.found = found


def fault(kind, **about):
    return dict({"fault": kind}, **{key.rstrip("_"): value for key, value in about.items()})


def dead(match=None, **about):
    if match is not None:
        about["match"] = match
    return fault("dead", **about)


# The contact is lost in each step of an attempt. Where no instruction belongs to the step, or none
# that the board answers, the loss shows in the next one.
IDENTIFY = 6  # instructions
LOST = {
    "attach": (dead("AC 53"), "empty", "no-board", "none", "identify"),
    "identify": (dead("30 00", nth=5), "fail", "contact-lost", "none", "identify"),
    "read": (dead("50 00", nth=2), "fail", "contact-lost", "none", "identify"),
    "open": (dead("58 00", nth=2, after=1), "fail", "contact-lost", "none", "identify"),
    "erase": (dead("AC 80"), "fail", "contact-lost", "erased", "erase"),
    "flash": (dead("4C", nth=2), "fail", "contact-lost", "written", "flash"),
    "eeprom": (dead("C2"), "fail", "contact-lost", "written", "eeprom"),
    "verify": (dead("20 00", nth=20), "fail", "contact-lost", "written", "verify"),
    "fuses": (dead("AC A0"), "fail", "contact-lost", "fused", "fuses"),
    "reenter": (dead("AC 53", nth=2), "fail", "contact-lost", "fused", "recheck"),
    "recheck": (dead("AC 53", nth=2, after=IDENTIFY + 1), "fail", "contact-lost", "fused",
                "recheck"),
    "lock": (dead("AC E0"), "fail", "contact-lost", "locked", "lock"),
    # All is proved by then, and no instruction follows.
    "release": (dead("AC E0", after=3 + IDENTIFY), "pass", None, "locked", None),
}
# Steps that are taken for some profiles only. What is lost there reads FF, as a blank board does.
LOST_ELSEWHERE = {
    "compare": ("blank", dead("20 00", nth=200), "fail", "contact-lost", "none"),
    "keep": ("keep", dead("A0 00", nth=100), "fail", "contact-lost", "none"),
    "doors": ("door", dead("AC A8"), "fail", "door-unproved", "fused"),
    "last-doors": ("door-last", dead("AC A8"), "fail", "door-unproved", "locked"),
}

# Steps that no attempt of these programmers takes, as their SCK is fixed: see usb_faults.py.
NOT_TAKEN = ["speed", "clock"]

# A part without pages: it is let go and enabled again after its erase, too.
LOST_OLD = {
    "attach": LOST["attach"],
    "identify": LOST["identify"],
    "read": LOST["read"],
    "erase": LOST["erase"],
    "pulse": (dead("AC 53", nth=2), "fail", "contact-lost", "erased", "erase"),
    "flash": (dead("40", nth=50), "fail", "contact-lost", "written", "verify"),
    "eeprom": (dead("C0", nth=5), "fail", "contact-lost", "written", "verify"),
    "verify": LOST["verify"],
    "fuses": (dead("AC A0"), "fail", "contact-lost", "fused", "fuses"),
    "reenter": (dead("AC 53", nth=3), "fail", "contact-lost", "fused", "recheck"),
    "recheck": (dead("AC 53", nth=3, after=IDENTIFY + 1), "fail", "contact-lost", "fused",
                "recheck"),
    "lock": (dead("AC F9"), "fail", "contact-lost", "locked", "lock"),
}

# With MISO at 0, F0 reads as ready: the loss shows later.
LOST_LOW = {"erase": "written"}


def lost_rows(model):
    for step, (lost, verdict, failure, touched, failing) in LOST.items():
        yield Row("contact lost in %s, %s" % (step, model), [lost], verdict, failure, touched,
                  failing, model=model, applied=step != "release",
                  held="profile" if verdict == "pass" else None)
        if step in ("erase", "eeprom", "verify", "lock"):
            yield Row("contact lost in %s, MISO low, %s" % (step, model),
                      [dict(lost, miso="low")], verdict, failure, LOST_LOW.get(step, touched),
                      model=model)
    for step, (profile, lost, verdict, failure, touched) in LOST_ELSEWHERE.items():
        yield Row("contact lost in %s, %s" % (step, model), [lost], verdict, failure, touched,
                  step if touched != "none" else None, model=model, profile=profile,
                  held="flash" if touched != "none" else "new")


def lost_rows_of_old_part():
    for step, (lost, verdict, failure, touched, failing) in LOST_OLD.items():
        yield Row("contact lost in %s, byte by byte" % step, [lost], verdict, failure, touched,
                  failing, profile="old", seconds=60)


# STK_INSYNC, and what follows: the first byte of the signature; the flash.
SIGNATURE_REPLY = "14 1E 10"
PAGE_REPLY = "14 " + images()["flash.hex"][:4].hex(" ")

ROWS = list(lost_rows(MICRO)) + list(lost_rows(UNO)) + list(lost_rows_of_old_part()) + [
    Row("flash byte that stays blank, byte by byte", [fault("bad-page", address=0x55)], "fail",
        "verify-mismatch", "written", "verify", profile="old", seconds=60),
    Row("stuck bit of EEPROM, byte by byte",
        [fault("bad-page", memory="eeprom", address=7, mask=0x01)], "fail", "verify-mismatch",
        "written", "verify", profile="old", seconds=60),
    Row("fuse that does not take, byte by byte", [fault("bad-fuse", fuse="fuse")], "fail",
        "fuse-mismatch", "fused", "fuses", held="flash", profile="old", seconds=60),
    Row("lock bit that does not take, byte by byte",
        [fault("bad-fuse", fuse="lock", mask=0x02)], "fail", "lock-mismatch", "locked", "lock",
        held="flash", profile="old", seconds=60),
    Row("power lost in a write, byte by byte", [fault("power-loss", match="40", nth=20)], "fail",
        "contact-lost", "written", "verify", profile="old", seconds=60),
    # The contact.
    Row("no board", [fault("no-board")], "empty", "no-board"),
    Row("no supply", [fault("no-supply")], "empty", "no-board", held="new"),
    Row("no contact from the start", [dead()], "empty", "no-board", held="new"),
    Row("no contact from the start, MISO low", [dead(miso="low")], "empty", "no-board",
        held="new", model=UNO),
    Row("no contact, MISO floating", [dead(miso="noise")], "fail", "contact-unstable", held="new"),
    # "Put a board in; if there is one, take it out, put it back firmly": all that can be told from
    # a line that never moves, and the right thing to do.
    Row("MISO stuck at 1", [fault("stuck-miso", miso="high")], "empty", "no-board", held="new"),
    Row("MISO stuck at 0", [fault("stuck-miso", miso="low")], "empty", "no-board", held="new"),
    Row("pulled after GO", [fault("pulled", match="AC 80")], "fail", "contact-lost", "erased",
        "erase", held="new"),
    Row("pulled in mid-flash", [fault("pulled", match="40", nth=100)], "fail", "contact-lost",
        "written", "flash"),
    Row("pulled before the fuses", [fault("pulled", match="AC A0")], "fail", "contact-lost",
        "fused", "fuses", held="flash"),
    Row("pulled between the last two readings of a board that is right",
        [fault("pulled", match="AC 53", nth=2, after=IDENTIFY + 4)], "fail", "contact-lost",
        "fused", "recheck", held="profile", profile="open"),
    Row("power lost in mid-page", [fault("power-loss", match="4C 00 80")], "fail", "contact-lost",
        "written", "flash", held="half"),
    Row("power lost in the erase", [fault("power-loss", match="AC 80")], "fail", "contact-lost",
        "erased", "erase"),

    Row("pulled when a board that is done already was compared",
        [fault("pulled", match="58 00", nth=3)], "fail", "contact-lost", "none", "identify",
        held="new", profile="blank"),

    # The board.
    Row("wrong part", [fault("wrong-part", part="ATmega32U4")], "refused", "signature-mismatch",
        held="new"),
    Row("flash page that stays blank", [fault("bad-page", address=0x100)], "fail",
        "verify-mismatch", "written", "verify"),
    Row("stuck bit in flash", [fault("bad-page", address=0x281, mask=0x04)], "fail",
        "verify-mismatch", "written", "verify"),
    Row("flash page that takes the second time",
        [fault("bad-page", address=0x100, mask=0x80, times=1)], "pass", None, "fused",
        held="profile", profile="open", tries=2),
    Row("EEPROM byte that stays blank", [fault("bad-page", memory="eeprom", address=5)], "fail",
        "verify-mismatch", "written", "verify"),
    Row("fuse that does not take", [fault("bad-fuse", fuse="low")], "fail", "fuse-mismatch",
        "fused", "fuses", held="flash"),
    Row("bit of a fuse that does not take", [fault("bad-fuse", fuse="extended", mask=0x02)],
        "fail", "fuse-mismatch", "fused", "fuses", held="flash"),
    Row("lock bit that does not take", [fault("bad-fuse", fuse="lock", mask=0x01)], "fail",
        "lock-mismatch", "locked", "lock", held="flash"),
    Row("writes three times as slow", [fault("slow-write", factor=3)], "pass", None, "locked",
        held="profile"),
    # 36 ms for a page, for which ArduinoISP waits 30 ms: pages are lost, unless the next one is late.
    Row("writes eight times as slow", [fault("slow-write", factor=8)], None,
        ["verify-mismatch", "none"], None),
    Row("writes 40 times as slow", [fault("slow-write", factor=40)], "fail", "board-busy",
        "erased", "erase"),
    Row("clock of 128 kHz", [fault("slow-clock", clock="128 kHz")], "fail", "contact-unstable",
        held="new", detail="SCK"),
    Row("clock of 32 kHz", [fault("slow-clock", clock="32768 Hz")], "fail", "contact-unstable",
        held="new", detail="SCK", model=UNO),
    Row("no crystal", [fault("no-crystal")], "fail", "contact-lost", "fused", "recheck",
        held="flash", detail="clock"),
    Row("signature with a bit turned once", [fault("flip", wire="from-board", match="30 00",
                                                   offset=2, mask=1)], "pass", None, "locked",
        held="profile", tries=2),
    Row("fuse read with a bit turned once", [fault("flip", wire="from-board", match="50 00",
                                                   offset=2, mask=1)], "pass", None, "locked",
        held="profile", tries=2),
    Row("flash read with a bit turned", [fault("flip", wire="from-board", match="00 28 00",
                                               offset=3, mask=1)], "fail", "verify-mismatch",
        "written", "verify", held="flash"),
    Row("flash written with a bit turned", [fault("flip", wire="to-board", match="40 00",
                                                  offset=3, mask=0x10)], "fail",
        "verify-mismatch", "written", "verify"),
    Row("byte that fills up a page of the image written with a bit turned",
        [fault("flip", wire="to-board", match="40 02 10", offset=3, mask=0x10)], "fail",
        "verify-mismatch", "written", "verify", detail="flash 0x00420: expected 0xFF, found 0xEF"),
    # F0 becomes C0: the question whether the erase is over, a write of 00 to the EEPROM.
    Row("kept EEPROM changed, EESAVE", [fault("flip", wire="to-board", match="F0 00", mask=0x30)],
        "fail", "verify-mismatch", "written", "verify", profile="keep",
        found={"eeprom": "eeprom.hex", "high": 0xD1}, detail="EEPROM 0x00000: expected 0x"),
    Row("kept EEPROM changed, blank", [fault("flip", wire="to-board", match="F0 00", mask=0x30)],
        "fail", "verify-mismatch", "written", "verify", profile="keep",
        detail="EEPROM 0x00000: expected 0xFF, found 0x00"),
    Row("kept EEPROM that lock bits hide changed",
        [fault("flip", wire="to-board", match="F0 00", mask=0x30)], "pass", None, "fused",
        profile="keep", found={"eeprom": "eeprom.hex", "high": 0xD1, "lock": 0xFC},
        detail="EEPROM kept, but not proved"),
    Row("lost SPI byte in a page", [fault("lost-byte", wire="to-board", match="48 00", offset=2)],
        "fail", ["verify-mismatch", "contact-lost", "contact-unstable"], "written", "verify"),

    # The programmer and its port.
    Row("hangs at once", [fault("hang")], "fail", "programmer-silent", held="new"),
    Row("hangs in mid-flash", [fault("hang", match="40", nth=300)], "fail", "programmer-silent",
        "written", "flash", model=UNO),
    Row("hangs in a fuse write", [fault("hang", match="AC A4")], "fail", "programmer-silent",
        "fused", "fuses", held="flash"),
    Row("loses a byte of a page", [fault("lost-byte", wire="to-programmer", match="64 00 80 46",
                                         offset=70)], "fail",
        ["programmer-silent", "programmer-out-of-step"], "written", "flash", model=UNO),
    Row("loses a byte of a fuse write", [fault("lost-byte", wire="to-programmer",
                                               match="56 AC A0", offset=3)], "fail",
        ["programmer-silent", "programmer-out-of-step"], "fused", "fuses"),
    Row("loses a byte of a reply, signature",
        [fault("lost-byte", wire="from-programmer", match=SIGNATURE_REPLY, offset=1)], "fail",
        ["programmer-silent", "programmer-out-of-step"], "none", "identify", held="new"),
    Row("loses a byte of a reply, page",
        [fault("lost-byte", wire="from-programmer", match=PAGE_REPLY, offset=60)], "fail",
        ["programmer-silent", "programmer-out-of-step"], "written", "verify", held="flash"),
    Row("garbage before sync, USB", [fault("garbage", count=40)], "pass", None, "locked",
        held="profile"),
    Row("garbage before sync, UART", [fault("garbage", count=200)], "pass", None, "locked",
        held="profile", model=UNO),
    Row("garbage that looks like an answer", [fault("garbage", bytes_="14 10")], "pass", None,
        "locked", held="profile", model=TEENSY),
    Row("banner", [fault("banner", text="Arduino as ISP, ready.")], "pass", None, "locked",
        held="profile", model=UNO),
    Row("one reply late by 0.3 s", [fault("late-reply", offset=300, for_="300 ms")], "pass", None,
        "locked", held="profile"),
    *(Row("late replies when it is claimed, %s" % model,
          [fault("late-reply", match="14 53 10", offset=1, for_="1500 ms"),
           fault("late-reply", match="14 01 10", offset=1, for_="1500 ms")], "pass", None,
          "locked", held="profile", model=model) for model in (UNO, MICRO)),
    Row("many replies late", [fault("late-reply", rate="0.05", for_="50 ms")], "pass", None,
        "locked", held="profile", seconds=60, model=UNO),
    Row("a reply late by 2 s, signature",
        [fault("late-reply", match=SIGNATURE_REPLY, offset=1, for_="2 s")], "fail",
        "programmer-silent", "none", "identify", held="new"),
    Row("a reply late by 2 s, page", [fault("late-reply", match=PAGE_REPLY, offset=60, for_="2 s")],
        "fail", "programmer-silent", "written", "verify", held="flash"),
    Row("a fuse write's reply late by 2 s", [fault("late-reply", match="10 15", offset=1,
                                                      for_="2 s")], "fail",
        "programmer-silent", "fused", "fuses", held="flash"),
    Row("reset in identify", [fault("reset", match="30 00", nth=4)], "fail", "programmer-silent",
        held="new"),
    Row("reset in mid-flash", [fault("reset", match="4C", nth=2)], "fail", "programmer-silent",
        "written", "flash", model=UNO),
    Row("reset in mid-flash, with a banner", [fault("reset", match="4C", nth=2),
                                              fault("banner", text="ready")],
        "fail", ["programmer-silent", "programmer-out-of-step"], "written", "flash", model=UNO),
    Row("reset in a fuse write", [fault("reset", match="AC A4")], "fail", "programmer-silent",
        "fused", "fuses", held="flash"),
    Row("reset in verify", [fault("reset", match="20 00", nth=30)], "fail", "programmer-silent",
        "written", "verify", held="flash"),
    Row("port vanishes and comes back", [fault("port-gone", match="4C", nth=2, for_="1 s")],
        "fail", "programmer-gone", "written", "flash"),
    Row("port vanishes and comes back, UART", [fault("port-gone", match="AC A0", for_="1 s")],
        "fail", "programmer-gone", "fused", "fuses", held="flash", model=UNO),
]
# At the pace of the real thing, and at the bootloader's baud rate: it reads what was meant for the
# sketch, and must not be given a page.
REAL = {"model": UNO, "pace": "real", "seconds": 60}
ROWS += [
    Row("reset in mid-flash, real pace", [fault("reset", match="40", nth=400)], "fail",
        "programmer-silent", "written", "flash", **REAL),
    Row("reset in verify, real pace", [fault("reset", match="20 00", nth=3),
                                       fault("banner", text="Arduino as ISP")], "fail",
        ["programmer-silent", "programmer-out-of-step"], "written", "verify", held="flash", **REAL),
    Row("garbage and banner, real pace", [fault("garbage", count=100),
                                          fault("banner", text="Arduino as ISP")], "pass", None,
        "locked", held="profile", **REAL),
    Row("writes eight times as slow, real pace", [fault("slow-write", factor=8)], None,
        ["verify-mismatch", "none"], None, **REAL),
]
# Whatever happens, no false pass, nothing but these, and what judge_fit() says of each.
CONTACT = ["none", "no-board", "contact-unstable", "contact-lost", "verify-mismatch", "board-busy",
           "fuse-mismatch", "lock-mismatch"]
for turn, contact_model in enumerate([MICRO, UNO, TEENSY] * 2):
    ROWS.append(Row("1 %% of the instructions lost, %d" % turn,
                    [fault("loose-contact", rate="0.01", miso=["high", "noise"][turn % 2])], None,
                    CONTACT, None, model=contact_model, profile=["plain", "open"][turn % 2]))


# --- making ---

def runs():
    """Rows by runs, of one profile and pace each; a sound site first, in the middle and last."""
    made = []
    for kind in sorted({(row.profile, row.pace) for row in ROWS}):
        rows = [row for row in ROWS if (row.profile, row.pace) == kind]
        for start in range(0, len(rows), ROW_SITES):
            some = rows[start:start + ROW_SITES]
            sites = [None] + some[:len(some) // 2] + [None] + some[len(some) // 2:] + [None]
            made.append(("%s-%s-%d" % (*kind, start // ROW_SITES), *kind, sites))
    return made


def part_of(profile):
    return PROFILES[profile].get("part", PART)


def flash_of(profile):
    return images()[PROFILES[profile].get("flash", "flash.hex")]


def hex_records(data):
    for at in range(0, len(data), 16):
        some = bytes([len(data[at:at + 16]), at >> 8, at & 0xFF, 0]) + data[at:at + 16]
        yield ":%s%02X" % (some.hex().upper(), -sum(some) & 0xFF)
    yield ":00000001FF"


def write(directory, name, text):
    with open(os.path.join(directory, name), "w") as file:
        file.write(text)


def make_jig(name, profile, pace, sites):
    faults = []
    for number, row in enumerate(sites, 1):
        faults += [dict(one, site=number, board=1) for one in (row.faults if row else [])]
    return {
        "jig": name,
        "bench": {"simulated": True, "pace": pace, "seed": 1, "boards": 1},
        "contact": {"present": "0 ms", "gone": "0 ms", "poll": "20 ms"},
        "sites": [{"site": number, "programmer": "stk500v1", "board": part_of(profile),
                   "crystal": "16 MHz", "baud": 115200,
                   "model": row.model if row else [MICRO, UNO, TEENSY][number % 3],
                   **({"found": row.found} if row and row.found else {})}
                  for number, row in enumerate(sites, 1)],
        "faults": faults,
    }


def make_profile(name, crystal=True):
    """`crystal`: what it is is said, so that a fixed SCK is not too fast for what the fuses could
    mean."""
    values = PROFILES[name]
    crystal = crystal and values.get("crystal", True)
    rules = values.get("risks", []) + ([] if crystal else ["clock-source"])
    risks = [{"rule": rule, "because": "a table of faults"} for rule in rules]
    board = {"board": {"clock": "crystal 16 MHz"}} if crystal else {}
    return {"format": 1, "profile": name, "article": "FAULTS", "revision": 1, "via": "isp", **board,
            **({"accept_risk": risks} if risks else {}), "part": part_of(name),
            "images": [{"file": values.get("flash", "flash.hex")}],
            "fuses": {fuse: "0x%02X" % values[fuse] for fuse in PARTS[part_of(name)]["new"]
                      if fuse != "lock"},
            "lock": "0x%02X" % values["lock"], "eeprom": values["eeprom"],
            "if_already": values.get("if_already", "redo"),
            "retry": values.get("retry", {"contact": 1, "verify": 0})}


def profile_text(name, crystal=True):
    """Bytes stand in hexadecimal, as numbers, which JSON has not."""
    return re.sub('"(0x[0-9A-F]{2})"', r"\1", json.dumps(make_profile(name, crystal)))


def check_steps(source):
    """A step of the station's without a row?"""
    with open(os.path.join(source, "station", "attempt_steps.c")) as file:
        table = file.read().split("struct attempt_step steps[]")[1].split("};")[0]
    steps = re.findall(r'\{"([a-z-]+)"', table)
    missing = [step for step in steps
               if step not in LOST and step not in LOST_ELSEWHERE and step not in NOT_TAKEN]
    assert steps and not missing, "no row for a contact lost in " + ", ".join(missing)


def make(directory, source):
    check_steps(source)
    for name, data in images().items():
        write(directory, name, "\n".join(hex_records(data)) + "\n")
    for name in PROFILES:
        write(directory, name + ".yaml", profile_text(name))
    for name, profile, pace, sites in runs():
        write(directory, name + ".jig", json.dumps(make_jig(name, profile, pace, sites), indent=1))
        print(name, profile)


# --- judging ---

def holds(record, name):
    return bytes.fromhex(record[name]).ljust(record[name + "_size"], b"\xff")


def padded(data, record, name):
    return data.ljust(record[name + "_size"], b"\xff")


def bytes_are(record, values):
    masks = PARTS[record["part"]]["masks"]
    return all((record[fuse] ^ values[fuse]) & masks[fuse] == 0 for fuse in masks)


def is_new(record, profile):
    blank = set(holds(record, "flash") + holds(record, "eeprom")) == {0xFF}
    if record["part"] != part_of(profile):
        return blank and not record["fuse_writes"]
    return blank and bytes_are(record, PARTS[record["part"]]["new"])


def has_memories(record, profile, eeprom_counts=True):
    has_eeprom = PROFILES[profile]["eeprom"] == EEPROM_FILE
    eeprom = images()["eeprom.hex"] if has_eeprom else b""
    return (holds(record, "flash") == padded(flash_of(profile), record, "flash") and
            (not eeprom_counts or holds(record, "eeprom") == padded(eeprom, record, "eeprom")))


def is_as_profile(record, profile, eeprom_counts=True):
    return (record["part"] == part_of(profile) and
            has_memories(record, profile, eeprom_counts) and
            bytes_are(record, PROFILES[profile]))


def has_half_a_page(record, profile):
    """The third page that is written is half written, and nothing after it."""
    flash = flash_of(profile)
    end = 2 * PAGE + PAGE // 2
    return holds(record, "flash") == padded(flash[:end], record, "flash")


HELD = {"new": is_new, "flash": has_memories, "profile": is_as_profile, "half": has_half_a_page}


class Judge:
    def __init__(self):
        self.wrong = []

    def check(self, right, row, text, *found):
        if not right:
            self.wrong.append("%s: %s %s" % (row, text, " ".join(map(json.dumps, found))))


def query(log, sql):
    base = sqlite3.connect("file:%s?mode=ro" % log, uri=True)
    base.row_factory = sqlite3.Row
    found = [dict(row) for row in base.execute(sql)]
    base.close()
    return found


def seconds_of(attempt, log):
    return query(log, "SELECT (julianday(ended_at) - julianday(started_at)) * 86400 AS s "
                 "FROM attempts WHERE attempt = %d" % attempt["attempt"])[0]["s"]


# What a board that failed in a step may have suffered; where it is erased for another try, all that
# comes up to the verification.
BEFORE_ERASE, WRITTEN = {"none"}, {"written"}
SUFFERED = {
    "attach": BEFORE_ERASE, "identify": BEFORE_ERASE, "read": BEFORE_ERASE, "speed": BEFORE_ERASE,
    "compare": BEFORE_ERASE, "keep": BEFORE_ERASE, "open": BEFORE_ERASE,
    "erase": {"none", "erased", "written"}, "flash": WRITTEN, "eeprom": WRITTEN, "verify": WRITTEN,
    "fuses": {"written", "fused"}, "reenter": {"written", "fused"},
    "recheck": {"none", "written", "fused"}, "doors": {"fused"}, "last-doors": {"fused", "locked"},
    "lock": {"written", "fused", "locked"},
    "release": {"none", "written", "fused", "locked"},
}
# The step in which some failures may be found, where that says more.
FOUND_IN = {
    "verify-mismatch": {"verify"}, "fuse-mismatch": {"fuses", "recheck", "lock"},
    "lock-mismatch": {"fuses", "recheck", "lock"}, "board-busy": {"erase", "flash", "eeprom"},
    "signature-mismatch": {"identify"},
}
# What a pass has done to a board, by profile.
DONE = {"plain": {"locked"}, "open": {"fused"}, "keep": {"fused"}, "blank": {"none"},
        "old": {"locked"}, "door": {"locked"}, "door-last": {"locked"}}


def judge_fit(judge, name, profile, attempt, step):
    """Verdict, failure, the step that failed and what was touched: each says something of the
    others, whatever was wrong."""
    verdict, touched = attempt["verdict"], attempt["touched"]
    failure = attempt["failure"] or "none"
    told = [verdict, failure, touched, step, attempt["detail"]]
    judge.check((verdict == "pass") == (failure == "none"), name, "verdict and failure", told)
    judge.check((verdict == "empty") == (failure in ("no-board", "no-supply")), name, "verdict and failure", told)
    judge.check((verdict == "refused") == (failure == "signature-mismatch"), name,
                "verdict and failure", told)
    if verdict == "pass":
        judge.check(touched in DONE[profile], name, "a pass, and touched", told)
        return
    judge.check(step is not None and touched in SUFFERED[step], name, "step and touched", told)
    judge.check(step in FOUND_IN.get(failure, SUFFERED), name, "step and failure", told)
    judge.check(verdict == "fail" or touched == "none", name, "verdict and touched", told)


def reaches_the_board_changed(faults):
    return any(one.get("wire") == "to-board" for one in faults)


def is_unseen(row):
    """Do lock bits hide the EEPROM that is to be kept? Then alone a pass does not prove it."""
    return row is not None and (row.found or {}).get("lock", 0xFF) & 3 < 2


def judge_board(judge, name, row, profile, attempt, record):
    """What holds for every board."""
    faults = row.faults if row else []
    if attempt["verdict"] == "pass":
        judge.check(is_as_profile(record, profile, not is_unseen(row)), name, "FALSE PASS")
    judge.check(record["bootloader_pages"] == 0, name, "the programmer itself was written to")
    if record["part"] is None:
        return
    counts = record["counts"]
    changed = (counts["erases"] or counts["flash_pages"] or counts["eeprom_writes"] or
               record["fuse_writes"])
    judge.check(not changed or attempt["touched"] != "none", name, "changed, but not touched",
                counts)
    sent = [write for write in record["fuse_writes"]
            if write["value"] != PROFILES[profile].get(write["fuse"])]
    judge.check(not sent or reaches_the_board_changed(faults), name,
                "fuse writes that the profile does not call for", sent)
    judge.check(record["part"] == part_of(profile) or not changed, name, "another part was changed")


def judge_row(judge, row, attempt, record, log):
    told = {key: attempt[key] for key in ("verdict", "failure", "touched", "tries", "detail")}
    failing = query(log, "SELECT step FROM steps WHERE attempt = %d AND failure IS NOT NULL AND "
                    "failure <> 'none' ORDER BY started_at DESC" % attempt["attempt"])
    step = failing[0]["step"] if failing and attempt["verdict"] != "pass" else None
    judge_fit(judge, row.name, row.profile, attempt, step)
    failure = attempt["failure"] or "none"
    judge.check(row.verdict in (None, attempt["verdict"]), row.name, "verdict", told)
    judge.check(failure in row.failures, row.name, "failure", row.failures, told)
    judge.check(row.touched in (None, attempt["touched"]), row.name, "touched", row.touched, told)
    judge.check(row.step in (None, step), row.name, "failing step", step, told)
    judge.check(row.tries in (None, attempt["tries"]), row.name, "tries", told)
    judge.check(row.detail in (attempt["detail"] or ""), row.name, "detail", told)
    took = seconds_of(attempt, log)
    judge.check(took <= row.seconds, row.name, "took seconds", took, told)
    applied = [one["applied"] for one in record["faults"]]
    judge.check(not row.applied or all(applied), row.name, "not applied", record["faults"], told)
    judge.check(row.held is None or HELD[row.held](record, row.profile), row.name,
                "the board does not hold: %s" % row.held, told, record.get("counts"))
    print("%-60s %-8s %-22s %-8s %-8s %5.2f s" % (row.name, attempt["verdict"], failure,
                                                 attempt["touched"], step or "", took))


def judge_run(judge, directory, name, profile, sites):
    log = os.path.join(directory, name + ".sqlite")
    with open(os.path.join(directory, name + ".record")) as file:
        records = {record["site"]: record for record in map(json.loads, file)}
    attempts = {}
    for attempt in query(log, "SELECT * FROM attempts"):
        judge.check(attempt["site"] not in attempts, name, "two attempts", attempt["site"])
        attempts[attempt["site"]] = attempt
    for site, row in enumerate(sites, 1):
        attempt, record = attempts.get(site), records.get(site)
        about = row.name if row else "%s, site %d: %s" % (name, site, WITNESS)
        judge.check(attempt and record, about, "no attempt, or no record")
        if not attempt or not record:
            continue
        judge.check(record["lamp"] == attempt["verdict"], about, "lamp", record["lamp"])
        judge_board(judge, about, row, profile, attempt, record)
        if row:
            judge_row(judge, row, attempt, record, log)
            continue
        judge.check(attempt["verdict"] == "pass" and attempt["tries"] == 1 and
                    seconds_of(attempt, log) < WITNESS_SECONDS, about, "disturbed",
                    attempt["verdict"], attempt["failure"], attempt["detail"])


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2], sys.argv[3])
        return 0
    judge = Judge()
    for name, profile, _, sites in runs():
        judge_run(judge, sys.argv[2], name, profile, sites)
    print("\n".join(judge.wrong))
    return 1 if judge.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
