"""Which faults the soak's boards and programmers have: from a seed, and so again."""
import math
import random

FAULTS_MAX = 1000  # of a jig file
SITES_MAX = 96
MODELS = ["arduino-uno-isp", "pro-micro-isp", "teensy-2.0-isp"]
PARTS = ["ATmega328P", "ATmega32U4", "ATmega32A", "ATmega2560", "ATtiny85"]
# Of flash, bytes (profiles/parts); a part without pages is written byte by byte.
PAGE_BYTES = {"ATmega328P": 128, "ATmega32U4": 128, "ATmega32A": 128, "ATmega8": 64, "ATtiny13": 32,
              "AT90S4433": 1, "ATmega2560": 256}
WIRES = ["to-programmer", "from-programmer", "to-board", "from-board"]
FUSE_WRITES = ["56 AC A0", "56 AC A8", "56 AC A4", "56 AC E0"]
# Where on a wire, besides anywhere: fuse and lock writes, pages, reads; each is a whole command.
PATTERNS = {
    "to-programmer": [(pattern, 6) for pattern in FUSE_WRITES] +
                     [("56 AC 80", 6), ("64 00 80 46", 133), ("74 01 00 46", 5), ("55", 4),
                      ("51 20", 2)],
    "from-programmer": [("14 41 56 52", 9), ("15 14 10", 3), ("14 10", 4)],
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
}


class Deck:
    """Kinds of fault, as often as they weigh, shuffled: all come before any comes too often."""

    def __init__(self, seed):
        self.chance, self.cards = random.Random(seed), []

    def deal(self):
        if not self.cards:
            self.cards = [kind for kind, weight in WEIGHTS.items() for _ in range(weight)]
            self.chance.shuffle(self.cards)
        return self.cards.pop()


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


def on_wire(chance, wire, way):
    if way == "rate":
        return {"rate": "%.7f" % spread(chance, 3e-5, 1e-3)}
    where = {"offset": int(spread(chance, 1, 10000))}
    if way == "match":
        where["match"], length = chance.choice(PATTERNS[wire])
        where["offset"] = chance.randrange(length)
    return {**where, "times": chance.choice([1, 1, 3])}


def late_reply(chance, _):
    return {**on_wire(chance, "from-programmer", chance.choice(WAYS)),
            "for": milliseconds(spread(chance, 20, 3000))}


def contact(chance):
    return {"miso": chance.choice(["high", "low", "noise"])}


def dead(chance, _):
    where = at_instruction(chance) if chance.random() < 0.7 else {}
    return {**where, **contact(chance)}


def loose_contact(chance, _):
    if chance.random() < 0.5:
        return {"rate": "%.5f" % spread(chance, 1e-4, 0.3), **contact(chance)}
    return {**at_instruction(chance), "times": chance.choice([1, 3, 30]), **contact(chance)}


def bad_page(chance, profile):
    used = sorted(profile.flash())
    fault = {"address": chance.choice(used)}
    if profile.eeprom_bytes() and chance.random() < 0.3:
        fault = {"address": chance.randrange(len(profile.eeprom_bytes())), "memory": "eeprom"}
    return {**fault, "mask": chance.choice([0xFF, 1 << chance.randrange(8)]),
            **chance.choice([{}, {"times": 1}])}


def bad_fuse(chance, profile):
    return {"fuse": chance.choice(list(profile.fuses)),
            "mask": chance.choice([0xFF, 1 << chance.randrange(8)])}


def wrong_part(chance, profile):
    return {"part": chance.choice([part for part in PARTS if part != profile.part])}


def port_gone(chance, _):
    return {**at_instruction(chance), "for": milliseconds(spread(chance, 50, 8000))}


def instruction(chance, _):
    return at_instruction(chance)


def nothing(_chance, _profile):
    return {}


DESCRIBE = {
    "no-board": nothing, "wrong-part": wrong_part, "hang": instruction, "dead": dead,
    "loose-contact": loose_contact,
    "stuck-miso": lambda chance, _: contact(chance), "bad-page": bad_page, "bad-fuse": bad_fuse,
    "slow-write": lambda chance, _: {"factor": "%.1f" % spread(chance, 2, 2000)},
    "slow-clock": lambda chance, _: {"clock": "%d kHz" % spread(chance, 33, 600)},
    "no-crystal": nothing,
    "garbage": lambda chance, _: {"count": int(spread(chance, 1, 400)), "times": 1},
    "banner": lambda _chance, _profile: {"text": "ArduinoISP ready 0x14 0x10", "times": 1},
    "late-reply": late_reply, "reset": instruction, "port-gone": port_gone,
    "power-loss": instruction, "pulled": instruction,
}
# These show only when the port is opened, or the programmer starts, in the board's turn.
NEED_ANOTHER = {"garbage": "hang", "banner": "reset"}


def of_kind(chance, kind, profile):
    if isinstance(kind, tuple):
        kind, wire, way = kind
        fault = {"fault": kind, "wire": wire, **on_wire(chance, wire, way)}
        if kind == "flip" and chance.random() < 0.5:
            fault["mask"] = chance.randrange(1, 256)
        return [fault]
    faults = [{"fault": kind, **DESCRIBE[kind](chance, profile)}]
    if kind in NEED_ANOTHER:
        faults += of_kind(chance, NEED_ANOTHER[kind], profile)
    return faults


def of_board(chance, deck, profile):
    kinds = [deck.deal() for _ in range(chance.choice([1, 1, 1, 2]))]
    if "no-board" in kinds:
        kinds = ["no-board"]
    return [fault for kind in kinds for fault in of_kind(chance, kind, profile)]


def fuse_bytes_lost():
    """Every byte of every fuse and lock write is lost once."""
    return [{"fault": "lost-byte", "wire": "to-programmer", "match": pattern, "offset": offset}
            for pattern in FUSE_WRITES for offset in range(6)]


def of_sites(sites):
    """What some programmers have all the time."""
    faults = [{"fault": kind, "wire": wire, "rate": "0.00005"}
              for kind in ("flip", "lost-byte") for wire in WIRES]
    faults += [{"fault": "garbage", "count": 100}, {"fault": "garbage", "bytes": "14 10"},
               {"fault": "banner", "text": "hello"}]
    return [{"site": site, **fault} for site, fault in zip(range(1, sites + 1), faults)]


def make_faults(profile, chance, deck, sites, boards, share):
    """`boards`: of the whole run. `share`: of the boards that have a fault, or some."""
    faults = of_sites(sites)
    if sites >= 8:
        # One falls silent, one is unplugged for longer than anybody waits: both sites go out.
        faults += [{"site": sites, "board": 2, "fault": "lost-byte", "wire": "to-programmer",
                    "rate": "1"},
                   {"site": sites - 1, "board": 2, "fault": "port-gone", "after": 50,
                    "for": "100 s"}]
    turns = max(2, math.ceil(boards / sites))
    places = [(site, board) for board in range(1, turns + 1) for site in range(1, sites + 1)]
    special = iter(fuse_bytes_lost())
    for site, board in places:
        if len(faults) + 4 > FAULTS_MAX:
            break
        if any(fault.get("board") == board and fault["site"] == site for fault in faults):
            continue
        if board <= 2 and site % 7 == 0 and (fault := next(special, None)) is not None:
            faults.append({"site": site, "board": board, **fault})
        elif chance.random() < share:
            faults += [{"site": site, "board": board, **fault}
                       for fault in of_board(chance, deck, profile)]
    return faults


def make_site(profile, site):
    made = {"site": site, "programmer": "stk500v1", "model": MODELS[site % len(MODELS)],
            "board": profile.part, "crystal": "8 MHz"}
    if profile.found(site):
        made["found"] = profile.found(site)
    return made


def make_jig(profile, seed, deck, boards, share):
    """JSON is YAML, and the judge can read it, too."""
    chance = random.Random(seed)
    sites = min(SITES_MAX, max(4, boards // 4))
    return {
        "jig": "soak",
        "bench": {"simulated": True, "pace": "fast", "seed": seed},
        "contact": {"present": "0 ms", "gone": "0 ms", "poll": "10 ms"},
        "sites": [make_site(profile, site) for site in range(1, sites + 1)],
        "faults": make_faults(profile, chance, deck, sites, boards, share),
    }
