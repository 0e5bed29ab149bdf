"""Which faults the soak's boards and programmers have: from a seed, and so again."""
import math
import random

FAULTS_MAX = 1000  # of a jig file
SITES_MAX = 96
# A jig has them mixed, by driver.
MODELS = {"arduino-uno-isp": "stk500v1", "stk500-v2": "stk500v2", "avr910-block": "avr910",
          "pro-micro-isp": "stk500v1", "buspirate-v3": "buspirate", "avrispmkii": "avrispmkii",
          "stk500": "stk500", "teensy-2.0-isp": "stk500v1", "avrispmkii-lufa": "avrispmkii"}
USB_DRIVERS = ("avrispmkii",)
# What reaches no more than 128 KiB of flash, or has no device code for such parts.
REFUSED = {"ATmega2560": ("avr910",), "AT90S4433": ("avr910", "stk500")}
PARTS = ["ATmega328P", "ATmega32U4", "ATmega32A", "ATmega2560", "ATtiny85"]
# Of flash, bytes (profiles/parts); a part without pages is written byte by byte.
PAGE_BYTES = {"ATmega328P": 128, "ATmega32U4": 128, "ATmega32A": 128, "ATmega8": 64, "ATtiny13": 32,
              "AT90S4433": 1, "ATmega2560": 256}
WIRES = ["to-programmer", "from-programmer", "to-board", "from-board"]
FUSES = ["A0", "A8", "A4", "E0"]
# A fuse or lock write on the wire: what it begins with, as far as it goes out together, and the
# bytes of it from there on.
FUSE_WRITES = {
    "stk500v1": [("56 AC " + fuse, 0, 6) for fuse in FUSES],
    "stk500": [("56 AC " + fuse, 0, 6) for fuse in FUSES],
    "stk500v2": [("1D 04 04 00 AC " + fuse, -5, 9) for fuse in FUSES],
    "avrispmkii": [("1D 04 04 00 AC " + fuse, 0, 8) for fuse in FUSES],
    "avr910": [("2E AC " + fuse, 2, 5) for fuse in FUSES],
    "buspirate": [("13 AC " + fuse, 2, 5) for fuse in FUSES],
}
# Where else on a programmer's wire: pages, reads, and what begins and ends a session; each is a
# whole command, of so many bytes.
COMMANDS = {
    "stk500v1": [("56 AC 80", 6), ("64 00 80 46", 133), ("74 01 00 46", 5), ("55", 4),
                 ("51 20", 2)],
    "stk500": [("56 AC 80", 6), ("64 00 80 46", 133), ("74 01 00 46", 5), ("42", 22), ("51 20", 2)],
    "stk500v2": [("0E 13 00 80", 140), ("0E 14 01 00", 5), ("0E 06", 7), ("0E 10", 14),
                 ("0E 11", 5)],
    "avrispmkii": [("13 00 80", 138), ("14 01 00", 4), ("06", 5), ("10", 12), ("11", 3)],
    "avr910": [("2E AC 80", 5), ("42 00 40 46", 68), ("67", 4), ("41", 3), ("54", 2), ("4C", 1)],
    "buspirate": [("12 AC 80", 4), ("05", 40), ("06 02", 10), ("60", 1), ("03", 1), ("8A", 1)],
}
ANSWERS = {
    "stk500v1": [("14 41 56 52", 9), ("15 14 10", 3), ("14 10", 4)],
    "stk500": [("14 41 56 52", 9), ("14 10", 4), ("15", 1)],
    "stk500v2": [("0E 01 00", 12), ("00 02 0E 13", 7), ("0E 14 00", 200), ("0E 1D 00", 9)],
    "avrispmkii": [("01 00", 13), ("13 00", 2), ("14 00", 200), ("1D 00", 7)],
    "avr910": [("41 56 52", 7), ("0D", 1), ("53", 1)],
    "buspirate": [("42 42 49", 5), ("53 50 49", 4), ("01", 3)],
}
# Where on the board's wires: fuse and lock writes, erase, pages, reads.
PATTERNS = {
    "to-board": [("AC A0", 4), ("AC A8", 4), ("AC A4", 4), ("AC E0", 4), ("AC 80", 4), ("4C", 4),
                 ("30 00", 4)],
    "from-board": [("30 00", 4), ("58 08", 4), ("50 00", 4), ("53", 3)],
}
# Enable, signature, fuses, erase, pages, EEPROM, flash and fuse reads, fuse and lock writes.
INSTRUCTIONS = ["AC 53", "30 00", "50 00", "58 08", "AC 80", "40", "4C", "C0", "A0", "20", "28",
                "AC A0", "AC A8", "AC A4", "AC E0"]
# How often each kind is, among the boards that have a fault. Bytes that flip or get lost are of as
# many kinds as there are wires and ways to say where.
WAYS = ["rate", "offset", "match"]
WEIGHTS = {
    "no-board": 4, "wrong-part": 4, "hang": 4, "dead": 5,
    "loose-contact": 10, "stuck-miso": 3, "bad-page": 6, "bad-fuse": 6, "slow-write": 3,
    "slow-clock": 3, "no-crystal": 3, "garbage": 2, "banner": 2, "late-reply": 6, "reset": 6,
    "port-gone": 5, "power-loss": 6, "pulled": 6,
    **{(kind, wire, way): 1 for kind in ("flip", "lost-byte") for wire in WIRES for way in WAYS},
    "doubled-byte": 4, "cut": 3, "echo": 4, "old-reply": 4, "wrong-mode": 3,
    "stall": 2, "short-reply": 2, "nak": 2, "duplicate-packet": 3,
}
SERIAL_KINDS = ("garbage", "banner", "doubled-byte", "cut", "echo", "old-reply", "wrong-mode")
USB_KINDS = ("stall", "short-reply", "nak", "duplicate-packet")


def suits(kind, driver):
    """May this happen to such a programmer? Only sketches print something when they start."""
    name = kind[0] if isinstance(kind, tuple) else kind
    if name == "banner":
        return driver == "stk500v1"
    return name not in (SERIAL_KINDS if driver in USB_DRIVERS else USB_KINDS)


class Deck:
    """Kinds of fault, as often as they weigh, shuffled: all come before any comes too often."""

    def __init__(self, seed):
        self.chance, self.cards = random.Random(seed), []

    def refill(self):
        """What suited nobody so far comes first."""
        fresh = [kind for kind, weight in WEIGHTS.items() for _ in range(weight)]
        self.chance.shuffle(fresh)
        self.cards = fresh + self.cards

    def deal(self, driver):
        if not any(suits(kind, driver) for kind in self.cards):
            self.refill()
        at = max(at for at, kind in enumerate(self.cards) if suits(kind, driver))
        return self.cards.pop(at)


def spread(chance, least, most):
    """Small ones as often as large ones."""
    return math.exp(chance.uniform(math.log(least), math.log(most)))


def milliseconds(value):
    return "%d ms" % value


def at_instruction(chance):
    """Somewhere in a board's work: at one of a sort, or after so many."""
    if chance.random() < 0.5:
        return {"after": int(spread(chance, 1, 3000))}
    return {"match": chance.choice(INSTRUCTIONS), "nth": int(spread(chance, 1, 5)),
            "after": chance.choice([0, 0, 1, 7])}


def patterns(wire, driver):
    """What begins with these bytes, and so many of it."""
    if wire == "to-programmer":
        return COMMANDS[driver] + [(pattern, length) for pattern, _, length in FUSE_WRITES[driver]]
    return ANSWERS[driver] if wire == "from-programmer" else PATTERNS[wire]


def on_wire(chance, wire, way, driver):
    if way == "rate":
        return {"rate": "%.7f" % spread(chance, 3e-5, 1e-3)}
    where = {"offset": int(spread(chance, 1, 10000))}
    if way == "match":
        where["match"], length = chance.choice(patterns(wire, driver))
        where["offset"] = chance.randrange(length)
    return {**where, "times": chance.choice([1, 1, 3])}


def late_reply(chance, _profile, driver):
    return {**on_wire(chance, "from-programmer", chance.choice(WAYS), driver),
            "for": milliseconds(spread(chance, 20, 3000))}


def contact(chance):
    return {"miso": chance.choice(["high", "low", "noise"])}


def dead(chance, _profile, _driver):
    where = at_instruction(chance) if chance.random() < 0.7 else {}
    return {**where, **contact(chance)}


def loose_contact(chance, _profile, _driver):
    if chance.random() < 0.5:
        return {"rate": "%.5f" % spread(chance, 1e-4, 0.3), **contact(chance)}
    return {**at_instruction(chance), "times": chance.choice([1, 3, 30]), **contact(chance)}


def bad_page(chance, profile, _driver):
    used = sorted(profile.flash())
    fault = {"address": chance.choice(used)}
    if profile.eeprom_bytes() and chance.random() < 0.3:
        fault = {"address": chance.randrange(len(profile.eeprom_bytes())), "memory": "eeprom"}
    return {**fault, "mask": chance.choice([0xFF, 1 << chance.randrange(8)]),
            **chance.choice([{}, {"times": 1}])}


def bad_fuse(chance, profile, _driver):
    return {"fuse": chance.choice(list(profile.fuses)),
            "mask": chance.choice([0xFF, 1 << chance.randrange(8)])}


def wrong_part(chance, profile, _driver):
    return {"part": chance.choice([part for part in PARTS if part != profile.part])}


def port_gone(chance, _profile, _driver):
    return {**at_instruction(chance), "for": milliseconds(spread(chance, 50, 8000))}


def instruction(chance, _profile, _driver):
    return at_instruction(chance)


def cut(chance, _profile, driver):
    return {**on_wire(chance, "to-programmer", chance.choice(WAYS[1:]), driver), "times": 1,
            "for": milliseconds(spread(chance, 20, 3000))}


def on_the_way_there(chance, _profile, driver):
    return on_wire(chance, "to-programmer", chance.choice(WAYS), driver)


def on_the_way_back(chance, _profile, driver):
    return on_wire(chance, "from-programmer", chance.choice(WAYS), driver)


# What somebody sent before: the beginning of a question, of a page, of another mode.
LEFT_IN = {
    "stk500v1": ["41", "64 00 80 46"], "stk500": ["41", "64 00 80 46 00"],
    "stk500v2": ["1B 05 00 08", "1B 01 01 00 0E 13"], "avr910": ["63", "42 00 40 46 11"],
    "buspirate": ["0F", "05 10 00 00 00", "0D"],
}


def doubled_byte(chance, _profile, driver):
    wire = chance.choice(WIRES[:2])
    return {"wire": wire, **on_wire(chance, wire, chance.choice(WAYS), driver)}


def wrong_mode(chance, _profile, driver):
    return {"bytes": chance.choice(LEFT_IN[driver])}


def nothing(_chance, _profile, _driver):
    return {}


DESCRIBE = {
    "no-board": nothing, "wrong-part": wrong_part, "hang": instruction, "dead": dead,
    "loose-contact": loose_contact,
    "stuck-miso": lambda chance, *_: contact(chance), "bad-page": bad_page, "bad-fuse": bad_fuse,
    "slow-write": lambda chance, *_: {"factor": "%.1f" % spread(chance, 2, 2000)},
    "slow-clock": lambda chance, *_: {"clock": "%d kHz" % spread(chance, 33, 600)},
    "no-crystal": nothing,
    "garbage": lambda chance, *_: {"count": int(spread(chance, 1, 400)), "times": 1},
    "banner": lambda *_: {"text": "ArduinoISP ready 0x14 0x10", "times": 1},
    "late-reply": late_reply, "reset": instruction, "port-gone": port_gone,
    "power-loss": instruction, "pulled": instruction,
    "doubled-byte": doubled_byte, "cut": cut, "echo": on_the_way_there,
    "old-reply": on_the_way_back, "wrong-mode": wrong_mode,
    "stall": instruction, "short-reply": instruction, "nak": instruction,
    "duplicate-packet": on_the_way_there,
}
# These show only when the port is opened, or the programmer starts, in the board's turn.
NEED_ANOTHER = {"garbage": "hang", "banner": "reset"}


def of_kind(chance, kind, profile, driver):
    if isinstance(kind, tuple):
        kind, wire, way = kind
        fault = {"fault": kind, "wire": wire, **on_wire(chance, wire, way, driver)}
        if kind == "flip" and chance.random() < 0.5:
            fault["mask"] = chance.randrange(1, 256)
        return [fault]
    faults = [{"fault": kind, **DESCRIBE[kind](chance, profile, driver)}]
    if kind in NEED_ANOTHER:
        faults += of_kind(chance, NEED_ANOTHER[kind], profile, driver)
    return faults


def of_board(chance, deck, profile, driver):
    kinds = [deck.deal(driver) for _ in range(chance.choice([1, 1, 1, 2]))]
    if "no-board" in kinds:
        kinds = ["no-board"]
    return [fault for kind in kinds for fault in of_kind(chance, kind, profile, driver)]


def fuse_bytes_lost(driver):
    """Every byte of every fuse and lock write is lost once, as far as it can be told where."""
    return [{"fault": "lost-byte", "wire": "to-programmer", "match": pattern, "offset": offset}
            for pattern, first, end in FUSE_WRITES[driver] for offset in range(first, end)]


def of_sites(drivers):
    """What some programmers have all the time."""
    faults = [{"fault": kind, "wire": wire, "rate": "0.00005"}
              for kind in ("flip", "lost-byte") for wire in WIRES]
    faults += [{"fault": "garbage", "count": 100}, {"fault": "garbage", "bytes": "14 10"},
               {"fault": "banner", "text": "hello"}]
    return [{"site": site, **fault} for (site, driver), fault in zip(enumerate(drivers, 1), faults)
            if suits(fault["fault"], driver)]


def make_faults(profile, chance, deck, drivers, boards, share):
    """`drivers`: of the sites, from 1. `boards`: of the whole run. `share`: of the boards that have
    a fault, or some."""
    sites = len(drivers)
    faults = of_sites(drivers)
    if sites >= 8:
        # One falls silent, one is unplugged for longer than anybody waits: both sites go out.
        faults += [{"site": sites, "board": 2, "fault": "lost-byte", "wire": "to-programmer",
                    "rate": "1"},
                   {"site": sites - 1, "board": 2, "fault": "port-gone", "after": 50,
                    "for": "100 s"}]
    turns = max(2, math.ceil(boards / sites))
    places = [(site, board) for board in range(1, turns + 1) for site in range(1, sites + 1)]
    special = {driver: iter(fuse_bytes_lost(driver)) for driver in drivers
               if driver not in USB_DRIVERS}
    for site, board in places:
        if len(faults) + 4 > FAULTS_MAX:
            break
        if any(fault.get("board") == board and fault["site"] == site for fault in faults):
            continue
        driver = drivers[site - 1]
        if (board <= 2 and site % 7 == 0 and
                (fault := next(special.get(driver, iter(())), None)) is not None):
            faults.append({"site": site, "board": board, **fault})
        elif chance.random() < share:
            faults += [{"site": site, "board": board, **fault}
                       for fault in of_board(chance, deck, profile, driver)]
    return faults


def make_site(profile, site):
    models = [model for model, driver in MODELS.items()
              if driver not in REFUSED.get(profile.part, ())]
    model = models[site % len(models)]
    made = {"site": site, "programmer": MODELS[model], "model": model, "board": profile.part,
            "crystal": "8 MHz"}
    if profile.found(site):
        made["found"] = profile.found(site)
    return made


def make_jig(profile, seed, deck, boards, share):
    """JSON is YAML, and the judge can read it, too."""
    chance = random.Random(seed)
    count = min(SITES_MAX, max(4, boards // 4))
    sites = [make_site(profile, site) for site in range(1, count + 1)]
    return {
        "jig": "soak",
        "bench": {"simulated": True, "pace": "fast", "seed": seed},
        "contact": {"present": "0 ms", "gone": "0 ms", "poll": "10 ms"},
        "sites": sites,
        "faults": make_faults(profile, chance, deck, [site["programmer"] for site in sites],
                              boards, share),
    }
