#!/usr/bin/env python3
"""Image files for tests/peers/image_formats.sh, the same ones for the same seed.

usage: make_images.py good DIRECTORY SEED     500 files with holes, odd records, far addresses
       make_images.py bad DIRECTORY ELF       one file per kind of damage; ELF: a sound one

`good` writes Intel HEX, S-records, and the sources of programs (NAME.s, NAME.link: options of the
linker), and a line "NAME FORMAT JUDGES" for each into DIRECTORY/list. `bad` writes the files and, for
each, "NAME<TAB>what the message must say" into DIRECTORY/list.
"""
import os
import random
import struct
import sys

FLASH = 0x40000  # the ATmega2560's, and what the judges are asked about
EEPROM = 0x1000


def hex_record(kind, offset, data):
    body = bytes([len(data), offset >> 8 & 255, offset & 255, kind]) + data
    return ":" + (body + bytes([-sum(body) & 255])).hex().upper()


def s_record(kind, address, data, width=None):
    width = width or {0: 2, 1: 2, 2: 3, 3: 4, 5: 2, 6: 3, 7: 4, 8: 3, 9: 2}[kind]
    body = address.to_bytes(width, "big") + data
    body = bytes([len(body) + 1]) + body
    return "S%d" % kind + (body + bytes([~sum(body) & 255])).hex().upper()


# ---- sound files


def chunks_of(rng, size, most):
    """Bytes with holes between them: (address, bytes), not overlapping, not ascending."""
    wanted = rng.randint(1, most)
    cuts = sorted(rng.sample(range(size), 2 * wanted))
    chunks = []
    for start, end in zip(cuts[::2], cuts[1::2]):
        end = min(end, start + rng.choice([1, 2, 15, 16, 17, 255, 256, 700]))
        chunks.append((start, rng.randbytes(end - start)))
    if rng.random() < 0.3:  # over a boundary of 64 KiB, if nothing is there
        at = 0x10000 * rng.randint(1, size // 0x10000 - 1) - rng.randint(1, 40)
        if all(start + len(data) <= at or start >= at + 80 for start, data in chunks):
            chunks.append((at, rng.randbytes(80)))
    return chunks


def records_of(rng, chunks, longest):
    """The chunks cut into records of odd lengths, in any order."""
    records = []
    for start, data in chunks:
        while data:
            length = rng.choice([1, 3, 16, 32, rng.randint(1, longest)])
            records.append((start, data[:length]))
            start, data = start + length, data[length:]
    if rng.random() < 0.5:
        rng.shuffle(records)
    return records


def one_hex(rng):
    """`mode`: how bases are given. The GNU tools add a segment's base to a linear one; by the
    specification the later one holds, so only srec_cat is asked about files with both."""
    mode = rng.choice(["linear", "linear", "segment", "both"])
    lines, base, kind = [], 0, "segment"  # as at the beginning of a file
    for address, data in records_of(rng, chunks_of(rng, FLASH, 8), 255):
        use = rng.choice(["linear", "segment"]) if mode == "both" else mode
        while data:
            offset = address - base
            if kind != use or not 0 <= offset <= 0xFFFF:
                kind = use
                if kind == "linear":
                    base = address & ~0xFFFF
                    lines.append(hex_record(4, 0, struct.pack(">H", base >> 16)))
                else:
                    lowest = max(0, address - 0xFFFF + 15) >> 4
                    base = rng.randint(lowest, min(address >> 4, 0xFFFF)) << 4
                    lines.append(hex_record(2, 0, struct.pack(">H", base >> 4)))
                offset = address - base
            # Within a segment addresses begin anew; linear ones go on.
            fits = data if kind == "linear" else data[: 0x10000 - offset]
            lines.append(hex_record(0, offset, fits))
            address, data = address + len(fits), data[len(fits) :]
        if rng.random() < 0.02:
            lines.append(hex_record(0, rng.randint(0, 0xFFFF), b""))
    if rng.random() < 0.3:
        lines.insert(rng.randint(0, len(lines)), hex_record(5, 0, struct.pack(">I", 0x1000)))
    elif rng.random() < 0.2:
        lines.insert(0, hex_record(3, 0, struct.pack(">HH", 0, 0x100)))
    lines.append(hex_record(1, 0, b""))
    return lines, "srec_cat" if mode == "both" else "srec_cat objcopy"


def one_srec(rng):
    most = rng.choice([1, 2, 3])
    size = 0x10000 if most == 1 else FLASH
    chunks = chunks_of(rng, size, 8) if size > 0x10000 else [(rng.randint(0, 0xF000), rng.randbytes(900))]
    lines = []
    if rng.random() < 0.7:
        lines.append(s_record(0, 0, rng.choice([b"", b"board.srec", b"HDR"])))
    records = records_of(rng, chunks, 250)
    for address, data in records:
        least = 1 if address <= 0xFFFF else 2
        lines.append(s_record(rng.randint(min(least, most), most), address, data))
    if rng.random() < 0.5:
        kind = 5 if rng.random() < 0.5 else 6
        lines.append(s_record(kind, len(records), b""))
    lines.append(s_record(10 - most, rng.choice([0, 0x100]), b""))
    return lines, "srec_cat objcopy"


def write_text(rng, path, lines):
    end = rng.choice(["\n", "\n", "\r\n"])
    text = end.join(lines) + (end if rng.random() < 0.9 else "")
    if rng.random() < 0.2:
        text = text[0] + text[1:].lower() if text[0] == ":" else text
    with open(path, "w", newline="") as out:
        out.write(text)


def one_program(rng, base):
    """Sections at any address of the flash, and what avr-libc would put beside them."""
    sections = [(".text", "ax", rng.randbytes(2 * rng.randint(1, 400)))]
    options = ["-m", "avr6"]
    if rng.random() < 0.8:
        sections.append((".data", "aw", rng.randbytes(rng.randint(1, 100))))
    at = 0x2000
    for number in range(rng.randint(0, 4)):
        at += rng.randint(0, 0x4000)
        data = rng.randbytes(rng.randint(1, 600))
        sections.append((".far%d" % number, "ax", data))
        options.append("--section-start=.far%d=0x%X" % (number, at))
        at += len(data)
    if rng.random() < 0.5:
        sections.append((".eeprom", "aw", rng.randbytes(rng.randint(1, 500))))
    if rng.random() < 0.5:
        sections.append((".fuse", "a", rng.randbytes(3)))
    if rng.random() < 0.5:
        sections.append((".lock", "a", rng.randbytes(1)))
    if rng.random() < 0.5:
        options.append("-s")
    with open(base + ".s", "w") as out:
        for name, flags, data in sections:
            out.write('.section %s,"%s",@progbits\n' % (name, flags))
            out.write(".byte " + ",".join(map(str, data)) + "\n")
        out.write('.section .bss\n.skip 20\n.section .note.board,"",@progbits\n.byte 1,2,3\n')
    with open(base + ".link", "w") as out:
        out.write(" ".join(options) + "\n")


def make_good(directory, seed):
    rng = random.Random(seed)
    with open(os.path.join(directory, "list"), "w") as out:
        for number in range(500):
            if number < 400:
                name, make = ("%03d.hex", one_hex) if number < 220 else ("%03d.s37", one_srec)
                lines, judges = make(rng)
                write_text(rng, os.path.join(directory, name % number), lines)
                out.write("%s %s %s\n" % (name % number, name[-3:], judges))
            else:
                one_program(rng, os.path.join(directory, "%03d" % number))
                out.write("%03d.elf elf objcopy\n" % number)


# ---- damaged ones


def bad_hex():
    good = [hex_record(0, 0, b"abcd"), hex_record(0, 16, b"efgh")]
    end = hex_record(1, 0, b"")
    yield "checksum", [good[0], good[1][:-2] + "00", end], ":2: bad checksum"
    yield "digit", [good[0], good[1].replace("65", "6g"), end], ":2: found a character that is no"
    yield "space", [good[0] + " ", good[1], end], ":1: found a character that is no hex digit"
    yield "odd-digits", [good[0], good[1][:-1], end], ":2: the record is cut off"
    yield "short", [good[0], good[1][:-4], end], ":2: the record is cut off"
    yield "long", [good[0], good[1] + "00", end], ":2: the record is too long"
    yield "length", [good[0], ":05" + good[1][3:], end], ":2: the record is cut off"
    yield "cut", [good[0], good[1][:6]], ":2: the record is cut off"
    yield "colon-only", [good[0], ":", end], ":2: the record is cut off, expected its length"
    yield "no-end", good, ":2: the file ends here without an end record"
    yield "data-after-end", [good[0], end, good[1]], ":3: found more after the end record"
    yield "end-twice", [good[0], end, end], ":3: found more after the end record"
    yield "end-with-data", [good[0], hex_record(1, 0, b"a")], ":2: a record of type 01 with 1"
    yield "type-06", [good[0], hex_record(6, 0, b"a"), end], ":2: unknown record type 06"
    yield "base-of-3", [hex_record(4, 0, b"\0\0\1"), good[0], end], ":1: a record of type 04 with 3"
    yield "segment-of-1", [hex_record(2, 0, b"\0"), good[0], end], ":1: a record of type 02 with 1"
    yield "start-of-2", [hex_record(5, 0, b"\0\0"), good[0], end], ":1: a record of type 05 with 2"
    yield "overlap", good + [hex_record(0, 3, b"d"), end], ":3: the byte at 0x0003 was given before"
    yield "no-record", [good[0], "abcd", end], ":2: found a line that does not begin with ':'"
    yield "beyond-part", [good[0], hex_record(0, 0x7FFE, b"abcd"), end], ":2: bytes 0x7FFE to 0x8001"
    yield "far-beyond", [hex_record(4, 0, b"\0\2"), good[0], end], ":2: bytes 0x20000 to 0x20003"
    yield "ram", [hex_record(4, 0, b"\0\x80"), good[1], end], ":2: bytes 0x800010 to 0x800013: that is"
    yield "user-row", [hex_record(4, 0, b"\0\x85"), good[0], end], ":2: bytes 0x850000 to 0x850003: that"
    yield "beyond-eeprom", [hex_record(4, 0, b"\0\x81"), hex_record(0, 0x3FF, b"ab"), end], ":2, EEPROM: "
    yield "four-fuses", [hex_record(4, 0, b"\0\x82"), good[0], end], ":2, fuses: bytes 0x0000 to 0x0003"
    yield "32-bit", [hex_record(4, 0, b"\xff\xff"), hex_record(0, 0xFFFE, b"abcd"), end], ":2: the bytes"


def bad_srec():
    good = [s_record(1, 0, b"abcd"), s_record(1, 16, b"efgh")]
    end = s_record(9, 0, b"")
    yield "checksum", [good[0], good[1][:-2] + "00", end], ":2: bad checksum"
    yield "digit", [good[0], good[1].replace("65", "6g"), end], ":2: found a character that is no"
    yield "odd-digits", [good[0], good[1][:-1], end], ":2: the record is cut off"
    yield "short", [good[0], good[1][:-4], end], ":2: the record is cut off"
    yield "long", [good[0], good[1] + "00", end], ":2: the record is too long"
    yield "no-address", [good[0], "S102FFFE", end], ":2: an S1 record of 2 bytes, expected at least 3"
    yield "cut", [good[0], good[1][:6]], ":2: the record is cut off"
    yield "no-end", good, ":2: the file ends here without an end record"
    yield "data-after-end", [good[0], end, good[1]], ":3: found more after the end record"
    yield "end-with-data", [good[0], s_record(9, 0, b"a")], ":2: an S9 record with 1 data bytes"
    yield "type-4", [good[0], s_record(4, 0, b"a", 2), end], ":2: unknown record type"
    yield "small-s", [good[0], good[1].replace("S", "s"), end], ":2: found a line that does not begin"
    yield "count-5", good + [s_record(5, 3, b""), end], ":3: found a count of 3 data records (S5)"
    yield "count-6", good + [s_record(6, 1, b""), end], ":3: found a count of 1 data records (S6)"
    yield "count-with-data", good + [s_record(5, 2, b"a"), end], ":3: an S5 record with 1 data"
    yield "late-header", [good[0], s_record(0, 0, b"x"), good[1], end], ":2: found a header (S0)"
    yield "overlap", good + [s_record(3, 3, b"d"), end], ":3: the byte at 0x0003 was given before"
    yield "beyond-part", [good[0], s_record(2, 0x7FFE, b"abcd"), end], ":2: bytes 0x7FFE to 0x8001"
    yield "ram", [good[0], s_record(3, 0x800100, b"abcd"), end], ":2: bytes 0x800100 to 0x800103: that"
    yield "hex-inside", [good[0], hex_record(0, 16, b"a"), end], ":2: found a line that does not begin"


def patched(elf, offset, form, value):
    data = bytearray(elf)
    struct.pack_into(form, data, offset, value)
    return bytes(data)


def bad_elf(elf):
    segments, sections = struct.unpack_from("<II", elf, 28)
    yield "header-cut", elf[:40], "is cut off: it has 40 bytes"
    yield "tables-cut", elf[:-100], "is cut off: its table of s"
    yield "class", patched(elf, 4, "B", 2), "is not a 32-bit ELF file"
    yield "big-endian", patched(elf, 5, "B", 2), "is not a little-endian ELF file"
    yield "version", patched(elf, 6, "B", 9), "has an unknown version of ELF"
    yield "machine", patched(elf, 18, "<H", 40), "is for machine 40, expected 83 (AVR)"
    yield "object", patched(elf, 16, "<H", 1), "is of ELF type 1, expected 2"
    yield "no-segments", patched(elf, 44, "<H", 0), "has no segments"
    yield "many-segments", patched(elf, 44, "<H", 0xFFFF), "has 65535 segments"
    yield "segment-rows", patched(elf, 42, "<H", 56), "table of segments has rows of 56 bytes"
    yield "segments-outside", patched(elf, 28, "<I", len(elf)), "its table of segments is at"
    yield "many-sections", patched(elf, 48, "<H", 0xFEFF), "has 65279 sections"
    yield "hidden-sections", patched(elf, 48, "<H", 0), "has too many sections"
    yield "segment-outside", patched(elf, segments + 4, "<I", len(elf) - 1), ", segment 0: its bytes"
    yield "segment-huge", patched(elf, segments + 16, "<I", 0xFFFFFFFF), ", segment 0: its bytes"
    yield "small-memory", patched(elf, segments + 20, "<I", 1), ", segment 0: has 0x"
    yield "overlap", patched(elf, segments + 32 + 12, "<I", 0), ", section .data: the byte at 0x0000"
    yield "beyond-part", patched(elf, segments + 12, "<I", 0x7FFE), ", section .text: bytes 0x7FFE to"
    yield "in-ram", patched(elf, segments + 32 + 12, "<I", 0x800100), ", section .data: bytes 0x800100"
    yield "not-loaded", patched(elf, segments + 32, "<I", 4), ", section .data: is in no segment"


def make_bad(directory, elf_path):
    with open(elf_path, "rb") as source:
        elf = source.read()
    with open(os.path.join(directory, "list"), "w") as out:
        for ending, kinds in (("hex", bad_hex()), ("s19", bad_srec())):
            for name, lines, text in kinds:
                name = "%s.%s" % (name, ending)
                with open(os.path.join(directory, name), "w") as bad:
                    bad.write("\n".join(lines) + "\n")
                out.write("%s\t%s%s\n" % (name, name, text))
        for name, data, text in bad_elf(elf):
            with open(os.path.join(directory, name + ".elf"), "wb") as bad:
                bad.write(data)
            out.write("%s.elf\t%s\n" % (name, text))


if sys.argv[1] == "good":
    make_good(sys.argv[2], int(sys.argv[3]))
else:
    make_bad(sys.argv[2], sys.argv[3])
