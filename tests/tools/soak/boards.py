"""What the soak's boards are to become: profiles, their images, what a passed board then holds."""
import random
import subprocess


def byte(mask, write, *found):
    """Of a fuse: the bits that exist, what may be written, and what may be found besides."""
    return {"mask": mask, "write": write, "pass": [write, *found]}


KEPT = ("keep", "{keep: restore}")


class Profile:
    """One profile. `share`: how many of a thousand boards are done by it. `found`: what the boards
    of a site carry already, as a jig file says it, by turns. `refused`: the same of boards that are
    not to be done; few sites have them, because they are through with one at once."""

    def __init__(self, name, part, share, fuses, *, low=None, high=None, lines=(), eeprom="erase",
                 verify="image", clock="crystal 8 MHz", found=(None,), refused=None):
        self.name, self.part, self.share = name, part, share
        self.found_kinds, self.refused = found, refused
        self.fuses = fuses          # by name: what the gate may write and a pass may hold
        self.texts = {"low": low, "high": high}  # where a fuse's line says more than its value
        self.lines = list(lines)
        self.eeprom = eeprom        # erase, keep, or the name of a binary
        self.whole = verify == "whole"
        self.clock = clock
        self.images = []            # (binary, address)

    def is_refused(self, site):
        return self.refused is not None and site % 40 == 3

    def found(self, site):
        if self.is_refused(site):
            return self.refused
        return self.found_kinds[site % len(self.found_kinds)]

    def with_images(self, *images):
        self.images = list(images)
        return self

    def text(self):
        lines = ["format: 1", "profile: soak-%s" % self.name, "article: SOAK", "revision: 1",
                 "via: isp", "part: %s" % self.part,
                 "board: {clock: %s}" % self.clock, "images:"]
        lines += ["  - {file: %s-%05x.hex}" % image for image in self.images]
        lines += ["fuses:"]
        for name, values in self.fuses.items():
            if name != "lock":
                text = self.texts.get(name) or "0x%02X" % values["write"]
                lines.append("  %s: %s" % (name, text))
        eeprom = self.eeprom
        if eeprom not in ("erase", *KEPT):
            eeprom = "{file: %s-00000.hex}" % eeprom
        lines += ["lock: 0x%02X" % self.fuses["lock"]["write"], "eeprom: " + eeprom,
                  "verify: " + ("whole" if self.whole else "image"),
                  "retry: {contact: 3, verify: 1}", *self.lines]
        return "\n".join(lines) + "\n"

    def flash(self):
        """The bytes that the images give, by address."""
        wanted = {}
        for name, start in self.images:
            wanted.update(enumerate(read_held(name, start), start))
        return wanted

    def eeprom_bytes(self, site=0):
        if self.eeprom == "erase":
            return b""
        if self.eeprom in KEPT:
            file = (self.found(site) or {}).get("eeprom")
            return read_held(*image_of(file)) if file else b""
        return read_held(self.eeprom, 0)


USED = {"eeprom": "used-00000.hex"}
PROFILES = [
    Profile("file", "ATmega328P", 240,
            {"low": byte(0xFF, 0xFF), "high": byte(0xFF, 0xD9), "extended": byte(0x07, 0xFD),
             "lock": byte(0x3F, 0xCF)}, eeprom="words"
            ).with_images(("application", 0), ("top", 0x1E80)),
    Profile("accept", "ATmega32U4", 120,
            {"low": byte(0xFF, 0x5E), "high": byte(0xFF, 0xD9, 0x99), "extended": byte(0x0F, 0xF3),
             "lock": byte(0x3F, 0xFF)},
            high="{write: 0xD9, accept: [0x99], because: JTAG is turned off anyway}",
            verify="whole").with_images(("application", 0), ("top", 0x1E80)),
    # Every third comes locked, with another program in it: its fuses take nothing before the erase.
    Profile("locked", "ATmega32A", 100,
            {"low": byte(0xFF, 0x3F), "high": byte(0xFF, 0xC9), "lock": byte(0x3F, 0xFC)},
            found=(None, None, {"flash": "top-01e80.hex", "lock": 0xFC, **USED})
            ).with_images(("application", 0)),
    # EESAVE is not set on a new board, whose EEPROM is blank; it is on one that was in use.
    Profile("keep", "ATmega328P", 80,
            {"low": byte(0xFF, 0xFF), "high": byte(0xFF, 0xD1), "extended": byte(0x07, 0xFD),
             "lock": byte(0x3F, 0xFF)}, eeprom="keep", verify="whole",
            found=(None, {"high": 0xD1, **USED}, {"high": 0xD1, "lock": 0xFC, **USED})
            ).with_images(("application", 0)),
    # Small pages, waits by value: no RDY/BSY.
    Profile("small", "ATmega8", 80,
            {"low": byte(0xFF, 0xBF), "high": byte(0xFF, 0xD9), "lock": byte(0x3F, 0xFF)},
            eeprom="words").with_images(("application", 0)),
    Profile("tiny", "ATtiny13", 70,
            {"low": byte(0xFF, 0x7A), "high": byte(0x1F, 0xFF), "lock": byte(0x03, 0xFF)},
            eeprom="few", clock="internal 9.6 MHz").with_images(("top", 0)),
    # No pages at all, one fuse byte.
    Profile("bytewise", "AT90S4433", 60,
            {"fuse": byte(0x3F, 0xDA), "lock": byte(0x06, 0xFF)}, eeprom="few"
            ).with_images(("top", 0)),
    # More than 128 KiB: the address of a word does not fit into 16 bits.
    Profile("large", "ATmega2560", 30,
            {"low": byte(0xFF, 0xFF), "high": byte(0xFF, 0xD9), "extended": byte(0x07, 0xFD),
             "lock": byte(0x3F, 0xFF)}).with_images(("top", 0x1FF80)),
    # The erase clears the EEPROM of some boards, which is put back; of some it cannot be read.
    Profile("restore", "ATmega328P", 90,
            {"low": byte(0xFF, 0xFF), "high": byte(0xFF, 0xD9), "extended": byte(0x07, 0xFD),
             "lock": byte(0x3F, 0xFF)}, eeprom="{keep: restore}", verify="whole",
            found=(USED, {"high": 0xD1, **USED}), refused={"lock": 0xFC, **USED}
            ).with_images(("application", 0)),
    Profile("already", "ATmega328P", 90,
            {"low": byte(0xFF, 0xFF), "high": byte(0xFF, 0xD9), "extended": byte(0x07, 0xFD),
             "lock": byte(0x3F, 0xFF)}, eeprom="words", lines=["if_already: pass"],
            found=(None, {"flash": "application-00000.hex", "eeprom": "words-00000.hex",
                          "low": 0xFF, "high": 0xD9, "extended": 0xFD},
                   {"flash": "application-00000.hex", "low": 0xFF, "high": 0xD9, "extended": 0xFD})
            ).with_images(("application", 0)),
    Profile("refuse", "ATmega328P", 40,
            {"low": byte(0xFF, 0xFF), "high": byte(0xFF, 0xD9), "extended": byte(0x07, 0xFD),
             "lock": byte(0x3F, 0xFF)}, lines=["if_already: refuse"],
            refused={"flash": "application-00000.hex", "low": 0xFF, "high": 0xD9, "extended": 0xFD}
            ).with_images(("application", 0)),
]


def make_binaries():
    """Pages of chance, one blank, one like fuse writes to ArduinoISP, one of end bytes."""
    chance = random.Random(1)
    pages = [chance.randbytes(128) for _ in range(12)]
    pages[3] = b"\xff" * 128
    pages[5] = bytes.fromhex("56aca000c0c0 56ac8000000020").ljust(128, b"\x56")
    pages[8] = b"\x20" * 128
    return {"application": b"".join(pages) + b"the end", "top": chance.randbytes(200),
            "words": chance.randbytes(37), "few": chance.randbytes(9),
            "used": chance.randbytes(300)}


def image_of(file):
    """NAME-START.hex: name and start."""
    name, start = file.removesuffix(".hex").rsplit("-", 1)
    return name, int(start, 16)


def held_name(name, start):
    return "%s-%05x.held" % (name, start)


def read_held(name, start):
    with open(held_name(name, start), "rb") as file:
        return file.read()


def make_images():
    """NAME-START.hex for the profiles, and what another program says that it holds."""
    wanted = {image for profile in PROFILES for image in profile.images}
    wanted |= {(profile.eeprom, 0) for profile in PROFILES
               if profile.eeprom not in ("erase", *KEPT)}
    wanted |= {image_of(found[key]) for profile in PROFILES
               for found in (*profile.found_kinds, profile.refused) if found
               for key in ("flash", "eeprom") if key in found}
    binaries = make_binaries()
    for name, start in wanted:
        binary, image = name + ".bin", "%s-%05x.hex" % (name, start)
        with open(binary, "wb") as file:
            file.write(binaries[name])
        subprocess.run(["avr-objcopy", "-I", "binary", "-O", "ihex", "--change-addresses",
                        hex(start), binary, image], check=True)
        subprocess.run(["avr-objcopy", "-I", "ihex", "-O", "binary", image,
                        held_name(name, start)], check=True)
