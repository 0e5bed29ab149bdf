"""The table of what further programmers and their boards may be up to: what the station makes of
it. stk500v2, avr910, buspirate, stk500, avrispmkii; faults.py has ArduinoISP's, usb_faults.py the
other USB programmers'.

usage: driver_faults.py make DIRECTORY       writes profile, images and jigs; prints, for each run,
                                             its name, its profile and how many boards pass in it
       driver_faults.py judge DIRECTORY      compares logs and the bench's records with the table

Each row is a site with a fault on its first board; the second one is sound, and so is its
programmer again. Sound sites stand between them, which must not notice.

What must come of a fault is in the drivers' own words (the top of each), and hangs on what their
protocols have: STK500 version 2 a checksum and a sequence number; AVR910 and Bus Pirate neither an
end nor a length; the STK500's first firmware an end byte; USB its own checks. And on what a board's
answer is used for: all but AVR910's and the first STK500's give back what the board heard.
"""
import json
import os
import sys

import faults
import usb_faults
from faults import Judge, dead, fault
from usb_faults import UsbRow

V2, AVR910, BLOCK, PIRATE, ONE, GENUINE, LUFA = ALL = [
    "stk500-v2", "avr910", "avr910-block", "buspirate-v3", "stk500", "avrispmkii",
    "avrispmkii-lufa"]
FIVE = [V2, AVR910, PIRATE, ONE, GENUINE]  # one of each driver
SERIAL = [V2, AVR910, BLOCK, PIRATE, ONE]
USB = [GENUINE, LUFA]
DRIVERS = dict(zip(ALL, ["stk500v2", "avr910", "avr910", "buspirate", "stk500", "avrispmkii",
                         "avrispmkii"]))
WITNESSES = [*ALL, "mega2560-isp", "avrisp", "buspirate-v4"]
DRIVERS.update({"mega2560-isp": "stk500v2", "avrisp": "stk500", "buspirate-v4": "buspirate"})
BAUD = {BLOCK: 115200}
ROW_SITES = 30  # of each run
SECONDS = 60  # an attempt ends; how fast is not asked here, for the sake of a machine under load

OUT_OF_STEP, SILENT, GONE = "programmer-out-of-step", "programmer-silent", "programmer-gone"
BYTES = faults.images()["flash.hex"]
PAGE = BYTES[1:5].hex(" ")  # of the first page: its first byte may go by itself
SWAPPED = bytes([BYTES[1], BYTES[0], BYTES[3], BYTES[2]]).hex(" ")  # read by 'R', high byte first
EEPROM = faults.images()["eeprom.hex"]
# The same as it is written: by loads of bytes (c, C), or instructions; else as it stands;
# and where the data byte is in it.
WRITTEN = {AVR910: ("63 %02X 43 %02X" % tuple(BYTES[:2]), 1),
           PIRATE: ("40 00 00 %02X 48 00 00 %02X" % tuple(BYTES[:2]), 3)}
READ = {AVR910: SWAPPED}
# A fuse write on the wire, as far as it goes out together, and which of it is the last byte.
FUSE = {V2: ("AC A0 00 F7", 3), ONE: ("56 AC A0 00 F7", 4), GENUINE: ("AC A0 00 F7", 3)}


class DriverRow(UsbRow):
    """A programmer that is at fault is claimed anew."""

    def __init__(self, name, troubles, verdict, *about, **more):
        super().__init__("%s, %s" % (name, more["model"]), troubles, verdict, *about, **more)
        self.back = self.then == "pass" and self.failures[0].startswith("programmer-")


def each(models, name, troubles, verdict, *about, by=None, **more):
    """The same of several; what differs is given by model in `by`."""
    keys = ("failure", "touched", "step")
    for model in models:
        own = {"troubles": troubles, "verdict": verdict, "seconds": SECONDS,
               **dict(zip(keys, about)), **more, **(by or {}).get(model, {})}
        if callable(own["troubles"]):
            own["troubles"] = own["troubles"](model)
        yield DriverRow(name, own.pop("troubles"), own.pop("verdict"), model=model, **own)


def steps(**by_model):
    """The failing step by model, where it is another one."""
    return {globals()[name]: {"step": step} for name, step in by_model.items()}


def on_page(kind, wire, **about):
    """In the first page, on its way to the board or back."""
    def trouble(model):
        match, offset = READ.get(model, PAGE), 60
        if wire == "to-programmer" and model in WRITTEN:
            match, offset = WRITTEN[model]
        elif wire == "to-programmer":
            match = PAGE
        where = {} if kind == "late-reply" else {"wire": wire}
        return [fault(kind, match=match, offset=offset, **where, **about)]
    return trouble


def gone(match, **about):
    return [fault("port-gone", match=match, for_="700 ms", **about)]


# --- the contact, in each step ---

# Entering asks the board itself, but AVR910's does not say what it heard.
NO_ECHO = {AVR910: {"step": "identify"}, BLOCK: {"step": "identify"}}
# AVR910's is not asked whether a page or a byte of EEPROM is written: reading back shows it.
UNTOLD = {AVR910: {"step": "verify"}, BLOCK: {"step": "verify"}}
# The genuine AVRISP mkII measures the board's supply; an STK500 measures what it feeds itself.
MEASURED = {GENUINE: {"failure": "no-supply"}}
LOST = [
    *each(ALL, "contact lost in attach", [dead("AC 53")], "empty", "no-board", "none", "attach",
          by={**NO_ECHO, **MEASURED}),
    *each(FIVE, "contact lost in identify", [dead("30 00", nth=5)], "fail", "contact-lost", "none",
          "attach", by=NO_ECHO),
    *each(FIVE, "contact lost in read", [dead("50 00", nth=2)], "fail", "contact-lost", "none",
          "attach", by=NO_ECHO),
    *each(ALL, "contact lost in erase", [dead("AC 80")], "fail", "contact-lost", "erased",
          "erase"),
    *each(ALL, "contact lost in flash", [dead("4C", nth=2)], "fail", "contact-lost", "written",
          "flash", by=UNTOLD),
    *each(FIVE, "contact lost in eeprom", [dead("C2")], "fail", "contact-lost", "written",
          "eeprom", by={AVR910: {"troubles": [dead("C0", nth=5)], "step": "verify"}}),
    *each(ALL, "contact lost in verify", [dead("20 00", nth=20)], "fail", "contact-lost",
          "written", "verify"),
    *each(ALL, "contact lost in fuses", [dead("AC A0")], "fail", "contact-lost", "fused",
          "fuses"),
    *each(FIVE, "contact lost in lock", [dead("AC E0")], "fail", "contact-lost", "locked",
          "lock"),
]

CONTACT = [
    *each(ALL, "no board", [fault("no-board")], "empty", "no-board", by=MEASURED),
    *each(ALL, "no supply", [fault("no-supply")], "empty", "no-board", held="new", by=MEASURED),
    *each(FIVE, "no contact from the start", [dead()], "empty", "no-board", held="new",
          by=MEASURED),
    *each(FIVE, "no contact from the start, MISO low", [dead(miso="low")], "empty", "no-board",
          held="new", by=MEASURED),
    *each(FIVE, "MISO stuck at 1", [fault("stuck-miso", miso="high")], "empty", "no-board",
          held="new"),
    *each(FIVE, "contact lost for one instruction of identify",
          [fault("loose-contact", match="30 00", nth=2, times=1)], "pass", None, "locked",
          held="profile", tries=2),
    *each(FIVE, "pulled in mid-flash", [fault("pulled", match="40", nth=100)], "fail",
          "contact-lost", "written", "flash", by=UNTOLD),
    *each(FIVE, "power lost in mid-page", [fault("power-loss", match="4C 00 80")], "fail",
          "contact-lost", "written", "flash", held="half", by=UNTOLD),
    *each(FIVE, "power lost in the erase", [fault("power-loss", match="AC 80")], "fail",
          "contact-lost", "erased", "erase"),
]

BOARD = [
    *each(ALL, "wrong part", [fault("wrong-part", part="ATmega32U4")], "refused",
          "signature-mismatch", held="new"),
    *each(FIVE, "flash page that stays blank", [fault("bad-page", address=0x100)], "fail",
          "verify-mismatch", "written", "verify"),
    *each(FIVE, "stuck bit of EEPROM",
          [fault("bad-page", memory="eeprom", address=5, mask=0xFF ^ EEPROM[5])], "fail",
          "verify-mismatch", "written", "verify"),
    *each(ALL, "fuse that does not take", [fault("bad-fuse", fuse="low")], "fail",
          "fuse-mismatch", "fused", "fuses", held="flash"),
    *each(FIVE, "lock bit that does not take", [fault("bad-fuse", fuse="lock", mask=0x01)], "fail",
          "lock-mismatch", "locked", "lock", held="flash"),
    # It is asked whether it is ready. On serial lines drivers wait by the clock where they find the
    # line slow enough for that, and a machine under load looks like one: no rows.
    *each(USB, "writes eight times as slow", [fault("slow-write", factor=8)],
          "pass", None, "locked", held="profile"),
    *each([V2, PIRATE, ONE, GENUINE], "writes 40 times as slow", [fault("slow-write", factor=40)],
          "fail", "board-busy", "erased", "erase"),
    # SCK that can be chosen comes down to what the board answers; the first STK500's firmware tries
    # one only, AVR910's has none to choose.
    *each([V2, PIRATE, GENUINE, LUFA], "clock of 128 kHz",
          [fault("slow-clock", clock="128 kHz")], "pass", None, "locked", held="profile"),
    *each([ONE], "clock of 128 kHz", [fault("slow-clock", clock="128 kHz")], "empty", "no-board",
          held="new"),
    *each(FIVE, "no crystal", [fault("no-crystal")], "fail", "contact-lost", "fused", "reenter",
          held="flash", by=steps(AVR910="recheck")),
    *each(FIVE, "signature with a bit turned once",
          [fault("flip", wire="from-board", match="30 00", offset=2, mask=1)], "pass", None,
          "locked", held="profile", tries=2),
    *each(FIVE, "flash written with a bit turned",
          [fault("flip", wire="to-board", match="40 00", offset=3, mask=0x10)], "fail",
          "verify-mismatch", "written", "verify"),
    # The second byte of the image: no programmer looks at it to see whether a page is written.
    *each(FIVE, "flash read with a bit turned",
          [fault("flip", wire="from-board", match="28 00 %02X" % BYTES[1], offset=2, mask=1)],
          "fail", "verify-mismatch", "written", "verify", held="flash"),
    # Nobody can stop it; reading back finds it.
    *each(FIVE, "value of a fuse with a bit turned",
          [fault("flip", wire="to-board", match="AC A0", offset=3, mask=0x10)], "fail",
          "fuse-mismatch", "fused", "fuses", held="flash"),
]

# --- the programmer and its port ---

# A programmer that hangs cannot let go; mkIIs are reset over the bus.
HELD_BY_HANG = {model: {"in_reset": True} for model in SERIAL}
PORT = [
    *each(ALL, "hangs in identify", [fault("hang", match="30 00", nth=4)], "fail", SILENT, "none",
          held="new", by=HELD_BY_HANG),
    *each(ALL, "hangs in mid-page", [fault("hang", match="40", nth=100)], "fail", SILENT,
          "written", "flash", by=HELD_BY_HANG),
    # The byte that AVR910's then waits for could be a write of its own: until it is unplugged.
    *each(FIVE, "hangs in a fuse write", [fault("hang", match="AC A4")], "fail", SILENT, "fused",
          "fuses", held="flash",
          by={**HELD_BY_HANG, AVR910: {"in_reset": True, "then": None}}),
    *each(FIVE, "hangs in verify", [fault("hang", match="28 00", nth=100)], "fail", SILENT,
          "written", "verify", held="flash", by=HELD_BY_HANG),
    # A Bus Pirate's greeting is no answer; over USB the transfer ends with an error.
    *each(ALL, "starts anew in mid-page", [fault("reset", match="40", nth=100)], "fail", SILENT,
          "written", "flash",
          by={model: {"failure": OUT_OF_STEP} for model in (PIRATE, GENUINE, LUFA)}),
    *each(FIVE, "starts anew in a fuse write", [fault("reset", match="AC A4")], "fail", SILENT,
          "fused", "fuses", held="flash",
          by={model: {"failure": OUT_OF_STEP} for model in (PIRATE, GENUINE)}),
    *each(FIVE, "unplugged in identify", gone("30 00", nth=4), "fail", GONE, held="new"),
    *each(ALL, "unplugged in mid-page", gone("40", nth=100), "fail", GONE, "written", "flash"),
    *each(FIVE, "unplugged in a fuse write", gone("AC A4"), "fail", GONE, "fused", "fuses",
          held="flash"),
    *each(FIVE, "unplugged in verify", gone("20 00", nth=200), "fail", GONE, "written", "verify",
          held="flash"),
    *each(USB, "stall in mid-page", [fault("stall", match="40", nth=100)], "fail",
          "programmer-stalled", "written", "flash"),
    *each(USB, "stall in a fuse write", [fault("stall", match="AC A4")], "fail",
          "programmer-stalled", "fused", "fuses", held="flash"),
    *each(USB, "NAK for ever in mid-page", [fault("nak", match="40", nth=100)], "fail", SILENT,
          "written", "flash"),
    *each(USB, "NAK for ever in a fuse write", [fault("nak", match="AC A4")], "fail", SILENT,
          "fused", "fuses", held="flash"),
    *each(USB, "short reply in verify", [fault("short-reply", match="20 00", nth=200)], "fail",
          OUT_OF_STEP, "written", "verify", held="flash"),
    *each(FIVE, "reply that is late",
          [fault("late-reply", offset=200, for_="300 ms")], "pass", None, "locked",
          held="profile"),
    *each(FIVE, "reply of a page that is late by 3 s",
          on_page("late-reply", "from-programmer", for_="3 s"), "fail", SILENT, "written",
          "verify", held="flash"),
]

# --- what others left, what comes unasked, what is garbled ---

STREAM = [
    *each([V2], "left in mid-frame", [fault("wrong-mode", bytes_="1B 05 00 08")], "pass", None,
          "locked", held="profile"),
    *each([AVR910, BLOCK], "left in mid-command", [fault("wrong-mode", bytes_="63")], "pass", None,
          "locked", held="profile"),
    *each([BLOCK], "left in mid-block", [fault("wrong-mode", bytes_="42 00 40 46 11")], "pass",
          None, "locked", held="profile"),
    *each([PIRATE], "left in its terminal", [fault("wrong-mode", bytes_="0F")], "pass", None,
          "locked", held="profile"),
    *each([PIRATE], "left in a long transfer", [fault("wrong-mode", bytes_="05 10 00 00 00")],
          "pass", None, "locked", held="profile"),
    *each([ONE], "left in mid-page", [fault("wrong-mode", bytes_="64 00 80 46")], "pass", None,
          "locked", held="profile"),
    *each(SERIAL, "garbage", [fault("garbage", count=40)], "pass", None, "locked",
          held="profile"),
    # An echo and an old reply have no place among frames with sequence numbers: thrown away.
    *each([V2], "echo", [fault("echo", match=PAGE)], "pass", None, "locked", held="profile"),
    *each([AVR910, BLOCK, PIRATE, ONE], "echo",
          lambda model: [fault("echo", match=WRITTEN.get(model, (PAGE, 0))[0])], "fail",
          OUT_OF_STEP, "written", "flash"),
    # The answer to a page: 1B, number, 00 02, 0E, 13 00. -2: before its 1B.
    *each([V2], "old reply", [fault("old-reply", match="00 02 0E 13 00", offset=-2)], "pass",
          None, "locked", held="profile"),
    # In the midst of a reply it spoils that.
    *each([V2], "old reply within a reply", [fault("old-reply", match="00 02 0E 13 00", offset=4)],
          "fail", OUT_OF_STEP, "written", "flash"),
    *each([V2], "reply out of sequence", [fault("flip", wire="from-programmer",
                                                match="00 02 0E 13 00", offset=-1, mask=0x40)],
          "fail", OUT_OF_STEP, "written", "flash"),
    *each([V2], "bad checksum of a reply", [fault("flip", wire="from-programmer",
                                                  match="00 02 0E 13 00", offset=5, mask=0x40)],
          "fail", OUT_OF_STEP, "written", "flash"),
    *each([V2], "framing of a reply lost", [fault("flip", wire="from-programmer",
                                                  match="00 02 0E 13 00", offset=2, mask=0x40)],
          "fail", SILENT, "written", "flash"),
    *each([V2], "framing of a page lost", [fault("flip", wire="to-programmer",
                                                 match="0E 13 00 80", offset=0, mask=0x40)],
          "fail", SILENT, "written", "flash"),
    *each([ONE], "old reply", [fault("old-reply", match=PAGE, offset=-1)], "fail", OUT_OF_STEP,
          "written", "verify", held="flash"),
    # A page on its way.
    *each(FIVE + [BLOCK, LUFA], "bit turned in a page", on_page("flip", "to-programmer", mask=0x10),
          "fail", "verify-mismatch", "written", "verify",
          by={V2: {"failure": OUT_OF_STEP, "step": "flash"}}),
    *each([V2, BLOCK, PIRATE, ONE], "byte of a page lost", on_page("lost-byte", "to-programmer"),
          "fail", SILENT, "written", "flash"),
    *each([V2, BLOCK, PIRATE, ONE], "byte of a page twice",
          on_page("doubled-byte", "to-programmer"), "fail", OUT_OF_STEP, "written", "flash"),
    # The first packet is a short one then: a genuine one takes it for the whole command; LUFA's
    # carries out what is missing with what it has left of the command before.
    *each(USB, "byte of a page lost, on USB", on_page("lost-byte", "to-programmer"), "fail",
          OUT_OF_STEP, "written", "flash",
          by={LUFA: {"failure": "verify-mismatch", "step": "verify"}}),
    *each([AVR910], "byte of a page lost", on_page("lost-byte", "to-programmer"), "fail",
          OUT_OF_STEP, "written", "flash"),
    # A page on its way back.
    *each(FIVE + [BLOCK, LUFA], "bit turned in a page that is read",
          on_page("flip", "from-programmer", mask=0x10), "fail", "verify-mismatch", "written",
          "verify", held="flash", by={V2: {"failure": OUT_OF_STEP}}),
    *each(SERIAL, "byte of a page that is read lost", on_page("lost-byte", "from-programmer"),
          "fail", SILENT, "written", "verify", held="flash"),
    *each([V2, ONE], "byte of a page that is read twice",
          on_page("doubled-byte", "from-programmer"), "fail", OUT_OF_STEP, "written", "verify",
          held="flash"),
    # A fuse write.
    *each([V2, ONE], "byte of a fuse write lost",
          lambda model: [fault("lost-byte", wire="to-programmer", match=FUSE[model][0],
                               offset=FUSE[model][1] - 1)], "fail", SILENT, "fused", "fuses",
          held="flash"),
    *each([AVR910], "byte of a fuse write lost",
          [fault("lost-byte", wire="to-programmer", match="2E AC A0", offset=2)], "fail", SILENT,
          "fused", "fuses", held="flash"),
    *each([PIRATE], "byte of a fuse write lost",
          [fault("lost-byte", wire="to-programmer", match="13 AC A0", offset=2)], "fail", SILENT,
          "fused", "fuses", held="flash"),
    *each([V2], "bit turned in a fuse write",
          [fault("flip", wire="to-programmer", match=FUSE[V2][0], offset=3, mask=0x10)], "fail",
          OUT_OF_STEP, "fused", "fuses", held="flash"),
    *each([V2, ONE, BLOCK, PIRATE], "line cut in mid-page",
          lambda model: [fault("cut", for_="300 ms", offset=2,
                               match=WRITTEN.get(model, (PAGE, 0))[0])],
          "fail", SILENT, "written", "flash"),
    *each([V2, ONE], "line cut in a fuse write",
          lambda model: [fault("cut", for_="300 ms", match=FUSE[model][0], offset=1)], "fail",
          SILENT, "fused", "fuses", held="flash"),
    # When it is claimed: waited for, or asked once more; longer than any answer is waited for, it is
    # claimed again. A single one, so that no row hangs on how long claims take.
    *each([V2], "late answers when it is claimed",
          [fault("late-reply", match="53 54 4B 35 30 30 5F 32", offset=2, for_="1500 ms"),
           fault("late-reply", match="00 03 0E 03 00", offset=5, for_="2500 ms")], "pass", None,
          "locked", held="profile"),
    *each([ONE], "late answers when it is claimed",
          [fault("late-reply", match="14 41 56 52", offset=2, for_="1500 ms"),
           fault("late-reply", match="10 14 01 10", offset=2, for_="1500 ms")], "pass", None,
          "locked", held="profile"),
    # To the universal command; to 'a'.
    *each([AVR910], "late answers when it is claimed",
          [fault("late-reply", match="41 56 52 20 49 53 50", offset=3, for_="300 ms"),
           fault("late-reply", match="0D 0D", offset=2, for_="1500 ms")], "pass", None, "locked",
          held="profile"),
    *each([BLOCK], "late answers when it is claimed",
          [fault("late-reply", match="41 56 52 20 49 53 50", offset=3, for_="300 ms"),
           fault("late-reply", match="53 59", offset=1, for_="1500 ms")], "pass", None, "locked",
          held="profile"),
    *each([PIRATE], "late answers when it is claimed",
          [fault("late-reply", match="42 42 49 4F 31", offset=3, for_="1500 ms"),
           fault("late-reply", match="53 50 49 31", offset=4, for_="1200 ms")], "pass", None,
          "locked", held="profile"),
    *each([PIRATE], "late answer to a change of mode when it is claimed",
          [fault("late-reply", match="53 50 49 31", offset=2, for_="1500 ms")], "pass", None,
          "locked", held="profile"),
    *each(USB, "late answers when it is claimed",
          [fault("late-reply", match="41 56 52 49 53 50", offset=2, for_="1500 ms"),
           fault("late-reply", match="03 00", offset=2, for_="2500 ms")], "pass", None, "locked",
          held="profile"),
    # 06, which reads flash by itself, is known nevertheless: the page comes back as it stands.
    *each([PIRATE], "late answer when it is claimed",
          [fault("late-reply", match="31 01 01", offset=1, for_="300 ms"),
           fault("flip", wire="from-programmer", match=PAGE, offset=60, mask=0x10)], "fail",
          "verify-mismatch", "written", "verify", held="flash"),
    *each([AVR910], "wrong answer when it is claimed",
          [fault("flip", wire="from-programmer", match="0D", offset=0, mask=0x01)], "pass",
          None, "locked", held="profile"),
]

ROWS = LOST + CONTACT + BOARD + PORT + STREAM


# --- making ---

def runs():
    """A sound site first, in the middle and last."""
    # Every so many, so that each run has some of each kind.
    count = (len(ROWS) + ROW_SITES - 1) // ROW_SITES
    for number in range(count):
        some = ROWS[number::count]
        middle = len(some) // 2
        yield "driver-%d" % number, [None, *some[:middle], None, *some[middle:], None]


def make_site(number, row, turn):
    model = row.model if row else WITNESSES[(number + turn) % len(WITNESSES)]
    made = {"site": number, "programmer": DRIVERS[model], "model": model, "board": faults.PART,
            "crystal": "16 MHz"}
    return {**made, **({"baud": BAUD[model]} if model in BAUD else {})}


def make(directory):
    for name, data in faults.images().items():
        faults.write(directory, name, "\n".join(faults.hex_records(data)) + "\n")
    faults.write(directory, "plain.yaml", faults.profile_text("plain"))
    for turn, (name, sites) in enumerate(runs()):
        jig = usb_faults.make_jig(name, "plain", sites)
        jig["contact"]["poll"] = "100 ms"  # sites that have done theirs look on until the end
        jig["sites"] = [make_site(number, row, turn) for number, row in enumerate(sites, 1)]
        faults.write(directory, name + ".jig", json.dumps(jig, indent=1))
        print(name, "plain", usb_faults.passes(sites))


# --- judging ---

def judge_run(judge, directory, name, turn, sites):
    log = os.path.join(directory, name + ".sqlite")
    with open(os.path.join(directory, name + ".record")) as file:
        records = [json.loads(line) for line in file]
    for number, row in enumerate(sites, 1):
        about = row.name if row else "%s, site %d: %s with %s" % (
            name, number, faults.WITNESS, make_site(number, row, turn)["model"])
        usb_faults.judge_site(judge, row, "plain", usb_faults.Site(number, log, records), about)


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2])
        return 0
    judge = Judge()
    for turn, (name, sites) in enumerate(runs()):
        judge_run(judge, sys.argv[2], name, turn, sites)
    print("\n".join(judge.wrong))
    return 1 if judge.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
