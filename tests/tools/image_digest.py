#!/usr/bin/env python3
"""The digest of an image as profiles/image.h defines it, from S-records that other tools wrote.

usage: image_digest.py FLASH_SIZE EEPROM_SIZE    lines on standard input: NAME FLASH [EEPROM]

FLASH and EEPROM are files of S-records. Prints NAME and the digest for each line.
"""
import hashlib
import struct
import sys

ADDRESS_BYTES = {"1": 2, "2": 3, "3": 4}


def read_bytes(path):
    found = {}
    with open(path) as lines:
        for line in lines:
            width = ADDRESS_BYTES.get(line[1:2])
            if width is None:
                continue
            record = bytes.fromhex(line[2:].strip())
            address = int.from_bytes(record[1 : 1 + width], "big")
            for i, byte in enumerate(record[1 + width : -1]):
                found[address + i] = byte
    return found


def encoded(found, size):
    runs = []
    for address in sorted(found):
        if not runs or address != runs[-1][0] + len(runs[-1][1]):
            runs.append((address, bytearray()))
        runs[-1][1].append(found[address])
    text = struct.pack(">I", size)
    for start, data in runs:
        text += struct.pack(">II", start, len(data)) + data
    return text


sizes = [int(argument) for argument in sys.argv[1:3]]
for line in sys.stdin:
    name, *paths = line.split()
    digest = hashlib.sha256()
    for path, size in zip(paths, sizes):
        digest.update(encoded(read_bytes(path), size))
    print(name, digest.hexdigest())
