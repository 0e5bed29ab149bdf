"""Holds the part files against avrdude's part table, and lets avrdude program a board of each part
that both know, by its own table.

usage: avrdude_parts.py differences TABLE FACTS        one line each: part, fact, ours, avrdude's
       avrdude_parts.py prepare TABLE FACTS DIR EVERY  jig, images and jobs for each EVERYth part
       avrdude_parts.py judge TABLE FACTS DIR          what the boards hold against what was asked

TABLE is the output of avrdude -p '*/At', FACTS that of part_facts. A job is a line: site, avrdude's
arguments. DIR/record is the simulated bench's record of all boards.
"""
import collections
import json
import sys

MODELS = ["arduino-uno-isp", "pro-micro-isp", "teensy-2.0-isp"]
# avrdude's names for our fuses and lock byte
NAMES = {"low": "lfuse", "high": "hfuse", "extended": "efuse", "fuse": "fuse", "lock": "lock"}
PIECE = 48  # bytes at each place of an image
FEW = 6     # the same where avrdude waits for each byte


# --- the two tables ---

def read_table(path):
    """part -> {"": properties, memory: properties}; operations are properties, too."""
    table = collections.defaultdict(lambda: collections.defaultdict(dict))
    for line in open(path, encoding="utf-8"):
        words = line.rstrip("\n").split("\t")
        if words[0] == ".pt" and len(words) == 4:
            table[words[1]][""][words[2]] = words[3].strip('"')
        elif words[0] in (".ptmm", ".ptmmop") and len(words) == 5 and words[4] != "NULL":
            table[words[1]][words[2]][words[3]] = words[4]
    return table


def read_both(table_path, facts_path):
    table = read_table(table_path)
    facts = [json.loads(line) for line in open(facts_path, encoding="utf-8")]
    return [(ours, table[ours["part"]]) for ours in facts
            if ours["part"] in table and "PM_ISP" in table[ours["part"]][""]["prog_modes"]]


def places(operation):
    """avrdude's 1010.1100--101i.iiii--… as 32 places, a to h for the bits of the value."""
    text = operation.replace("--", "").replace(".", "")
    return "".join("hgfedcba"[at % 8] if letter in "io" else letter
                   for at, letter in enumerate(text))


def common_bits(ours, theirs):
    """The bits of the value that both instructions carry, in the same places; none where what avrdude
    sends (its x are 0) would not be taken for ours."""
    if not ours or not theirs:
        return 0
    for at in range(32):
        if ours[at] in "01" and theirs[at] != ours[at] and (ours[at], theirs[at]) != ("0", "x"):
            return 0
    shared = [(n, bit) for n, bit in enumerate("abcdefgh") if bit in ours and bit in theirs]
    if any(ours.find(bit) != theirs.find(bit) for _, bit in shared):
        return 0
    return sum(1 << n for n, _ in shared)


def carried_by(instruction):
    return sum(1 << n for n, bit in enumerate("abcdefgh") if bit in instruction)


def bits_for(verb, ours, theirs):
    """The bits of a byte that avrdude can read, or write, as we know it."""
    memory = theirs.get(NAMES[ours["name"]], {})
    return common_bits(ours.get(verb), verb in memory and places(memory[verb])) & ours["mask"]


# --- differences ---

def number(text):
    return int(text or "0", 0)


def array_facts(name, ours, theirs):
    yield name + ".size", ours["size"], number(theirs.get("size"))
    yield name + ".page_write", ours["page_write"], "writepage" in theirs
    if ours["page_write"] and "writepage" in theirs:
        yield name + ".page_size", ours["page_size"], number(theirs.get("page_size"))
    yield name + ".write_us", ours["write_us"], number(theirs.get("max_write_delay"))
    yield name + ".extended_address", ours["extended_address"], "load_ext_addr" in theirs
    if "unpollable" in ours:
        yield name + ".unpollable", ours["unpollable"], theirs.get("readback")


def byte_facts(ours, theirs):
    name = ours["name"]
    for verb in ("read", "write"):
        mine, other = ours.get(verb), theirs.get(verb)
        other = other and places(other)
        # SPIEN cannot be changed over ISP: some tables leave it out.
        wanted = ours["mask"] & ~ours["spien"]
        carried = common_bits(mine, other)
        if mine == other or (carried and not wanted & carried_by(mine) & ~carried):
            continue
        yield name + "." + verb, mine or "none", other or "none"


def facts_of(ours, theirs):
    yield "signature", ours["signature"], theirs[""]["signature"]
    yield from array_facts("flash", ours["flash"], theirs["flash"])
    yield from array_facts("eeprom", ours["eeprom"], theirs["eeprom"])
    yield "chip_erase_us", ours["chip_erase_us"], number(theirs[""]["chip_erase_delay"])
    yield "calibration", ours["calibration"], number(theirs["calibration"].get("size"))
    mode = number(theirs["flash"]["mode"])
    yield "poll_ready", ours["poll_ready"], mode & (0x40 if mode & 1 else 0x08) != 0
    waits = {"lock": ours["lock_us"]}
    waits.update({name: ours["fuse_us"] for name in ("low", "high", "extended", "fuse")})
    for byte in ours["bytes"]:
        memory = theirs.get(NAMES[byte["name"]], {})
        yield from byte_facts(byte, memory)
        if "write" in byte and "write" in memory:
            yield byte["name"] + ".write_us", waits[byte["name"]], number(memory["max_write_delay"])
    known = {NAMES[byte["name"]] for byte in ours["bytes"]}
    for name in NAMES.values():
        if name in theirs and name not in known:
            yield name, "none", "there"


def differences(table_path, facts_path):
    for ours, theirs in read_both(table_path, facts_path):
        for fact, mine, other in facts_of(ours, theirs):
            if mine != other:
                print(ours["part"], fact, mine, other, sep="\t")


# --- the sweep ---

def image(size, pages, seed):
    """address -> byte: both ends, and around each 64 KiB."""
    few = PIECE if pages else FEW
    starts = [0, size - few] + [at - few // 2 for at in range(0x10000, size, 0x10000)]
    return {at: (seed * 7 + at * 11 + (at >> 8) * 3) % 255  # never FF: records end before those
            for start in starts for at in range(max(start, 0), min(start + few, size))}


def hex_record(kind, address, data):
    body = bytes([len(data), address >> 8 & 0xFF, address & 0xFF, kind]) + data
    return ":%s%02X\n" % (body.hex().upper(), -sum(body) & 0xFF)


def write_hex(path, contents):
    upper = None
    with open(path, "w", encoding="ascii") as file:
        for address in sorted(contents):
            if address >> 16 != upper:
                upper = address >> 16
                file.write(hex_record(4, 0, upper.to_bytes(2, "big")))
            file.write(hex_record(0, address & 0xFFFF, bytes([contents[address]])))
        file.write(hex_record(1, 0, b""))


def as_recorded(contents):
    if not contents:
        return ""
    data = bytearray(b"\xff" * (max(contents) + 1))
    for address, value in contents.items():
        data[address] = value
    return data.hex()


def changed(byte, theirs):
    """The factory's value with one harmless bit turned over; None where there is no such bit that
    avrdude can turn and see."""
    harmless = bits_for("write", byte, theirs) & bits_for("read", byte, theirs) & ~byte["dangerous"]
    if byte["name"] == "lock" or "factory" not in byte or not harmless:
        return None
    return byte["factory"] ^ (harmless & -harmless)


def programmer_for(theirs):
    """avrdude addresses an EEPROM that it writes in pages by words for `arduino`, which is what the
    sketch takes, and by bytes for `stk500v1`; but for `arduino` it also writes parts without pages
    by the page command, which the sketch cannot do."""
    paged = number(theirs["eeprom"].get("page_size")) > 1 and "writepage" in theirs["flash"]
    return "arduino" if paged else "stk500v1"


def eeprom_is_paged(theirs):
    return number(theirs["eeprom"].get("page_size")) > 1


def arguments(ours, theirs, site, base):
    yield from ("-c", programmer_for(theirs), "-p", ours["part"])
    if ours["signature"] != theirs[""]["signature"]:
        yield "-F"
    yield from ("-U", f"signature:r:{base}.signature:h")
    for byte in ours["bytes"]:
        name = NAMES[byte["name"]]
        if bits_for("read", byte, theirs):
            yield from ("-U", f"{name}:r:{base}.{name}:h")
    yield "-e"
    flash, eeprom = images(ours, theirs, site)
    write_hex(base + ".flash.hex", flash)
    write_hex(base + ".eeprom.hex", eeprom)
    yield from ("-U", f"flash:w:{base}.flash.hex:i", "-U", f"eeprom:w:{base}.eeprom.hex:i")
    for byte in ours["bytes"]:
        if changed(byte, theirs) is not None:
            for value in (changed(byte, theirs), byte["factory"]):
                yield from ("-U", f"{NAMES[byte['name']]}:w:0x{value:02x}:m")


def images(ours, theirs, site):
    return (image(ours["flash"]["size"], "writepage" in theirs["flash"], site),
            image(ours["eeprom"]["size"], eeprom_is_paged(theirs), site + 100))


def swept(table_path, facts_path):
    """Site, our facts and avrdude's, of each part on the jig."""
    return enumerate(read_both(table_path, facts_path), start=1)


def prepare(table_path, facts_path, directory, every):
    jig = open(directory + "/jig.yaml", "w", encoding="ascii")
    jobs = open(directory + "/jobs", "w", encoding="ascii")
    print("format: 1\njig: peers\nbench: simulated\nsites:", file=jig)
    for site, (ours, theirs) in swept(table_path, facts_path):
        if site % int(every) != 0:
            continue
        print(f"  - {{site: {site}, programmer: stk500v1, model: {MODELS[site % len(MODELS)]}, "
              f"board: {ours['part']}, crystal: 8 MHz}}", file=jig)
        print(site, *arguments(ours, theirs, site, f"{directory}/{ours['part']}"), file=jobs)
    jig.close()
    jobs.close()


# --- what came of it ---

def read_back(directory, part, name):
    try:
        text = open(f"{directory}/{part}.{name}", encoding="ascii").read()
    except FileNotFoundError:
        return None
    return [int(word, 0) for word in text.split(",")]


def wrong_bytes(board, ours, theirs, directory):
    """What avrdude read before it wrote, what it sent, and what is left."""
    sent = collections.Counter()
    for write in board["fuse_writes"]:
        sent[write["fuse"], write["value"]] += write["count"]
    for byte in ours["bytes"]:
        name = byte["name"]
        factory = byte.get("factory", board[name])
        readable = bits_for("read", byte, theirs)
        found = read_back(directory, ours["part"], NAMES[name])
        if found is None and readable:
            yield f"{name} was not read"
        elif readable and (found[0] ^ factory) & readable:
            yield f"{name} was read as {found[0]:#04x}"
        written = changed(byte, theirs) is not None
        # Where avrdude writes a byte, bits that it does not know become 1.
        if (board[name] ^ factory) & (bits_for("write", byte, theirs) if written else byte["mask"]):
            yield f"{name} is {board[name]:#04x}"
        expected = 2 if written else 0
        if sum(count for (fuse, _), count in sent.items() if fuse == name) != expected:
            yield f"{name}: {board['fuse_writes']} were sent"


def wrong_with(board, ours, theirs, directory):
    flash, eeprom = images(ours, theirs, board["site"])
    if board["flash"] != as_recorded(flash):
        yield "the flash is not what avrdude was given"
    if board["eeprom"] != as_recorded(eeprom):
        yield "the EEPROM is not what avrdude was given"
    signature = read_back(directory, ours["part"], "signature")
    if signature != [int(word, 0) for word in ours["signature"].split()]:
        yield f"signature {signature}"
    if board["counts"]["erases"] != 1:
        yield f"{board['counts']['erases']} erases"
    yield from wrong_bytes(board, ours, theirs, directory)


def judge(table_path, facts_path, directory):
    boards = {board["site"]: board for board in
              map(json.loads, open(directory + "/record", encoding="utf-8"))}
    bad = 0
    for site, (ours, theirs) in swept(table_path, facts_path):
        for reason in wrong_with(boards[site], ours, theirs, directory) if site in boards else ():
            print(f"{ours['part']}: {reason}")
            bad += 1
    print(f"{len(boards)} parts programmed by avrdude, {bad} faults")
    return 1 if bad or not boards else 0


COMMANDS = {"differences": differences, "prepare": prepare, "judge": judge}

if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    sys.exit(COMMANDS[sys.argv[1]](*sys.argv[2:]))
