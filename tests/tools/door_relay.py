#!/usr/bin/env python3
"""Stands between the station and a programmer that speaks STK500v1, and does something just when the
station sends one certain universal command.

door_relay.py PTY PORT-FILE STATION-FILE OUTPUT FRAME MOMENT ACTION

Listens on a TCP port of loopback, whose number goes to PORT-FILE, for one connection, and passes its
bytes to PTY and back. FRAME: the four bytes in hex. MOMENT: 'before' (the programmer has not got them),
'at' (it has answered, the station has not heard it), 'after' (the station has heard it). ACTION: names
of signals, joined by '+', for the process whose number is in STATION-FILE, each once the one before it
was heard, which OUTPUT tells; or 'drop': the connection ends.
"""

import os
import select
import signal
import socket
import sys
import time
import tty

# The driver waits a second for an answer: what is done in between has to be well within it.
HEARD_S = 0.3
ANSWER_S = 10
HEARD = ["stopping: every board", "already stopping"]


class Relay:
    def __init__(self, pty, port_file, station_file, output, frame, moment, action):
        self.station_file, self.output = station_file, output
        self.command = b"\x56" + bytes.fromhex(frame)
        self.moment, self.action = moment, action
        self.pty = os.open(pty, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.pty)
        self.acted = False
        self.held = b""  # of the station's: the beginning of the command, perhaps
        with socket.create_server(("127.0.0.1", 0)) as server:
            with open(port_file + ".new", "w") as out:
                print(server.getsockname()[1], file=out)
            os.rename(port_file + ".new", port_file)
            self.host = server.accept()[0]

    def heard(self, text):
        with open(self.output) as out:
            return text in out.read()

    def act(self):
        """False: nothing is passed on any more."""
        self.acted = True
        if self.action == "drop":
            return False
        until = time.monotonic() + HEARD_S
        with open(self.station_file) as numbers:
            station = int(numbers.read())
        for name, text in zip(self.action.split("+"), HEARD):
            os.kill(station, getattr(signal, "SIG" + name))
            if name == "KILL":
                return False
            while not self.heard(text) and time.monotonic() < until:
                time.sleep(0.002)
        return True

    def answer(self):
        if not select.select([self.pty], [], [], ANSWER_S)[0]:
            sys.exit("no answer to the command")
        return os.read(self.pty, 1024)

    def pass_command(self, data):
        """The command and all that came with it; it ends with one byte more than the frame."""
        while len(data) < len(self.command) + 1:
            data += self.host.recv(1024)
        if self.moment == "before" and not self.act():
            return False
        os.write(self.pty, data)
        if self.moment == "before":
            return True
        answer = self.answer()
        if self.moment == "at" and not self.act():
            return False
        self.host.sendall(answer)
        return self.moment == "at" or self.act()

    def pass_down(self, data):
        data = self.held + data
        at = -1 if self.acted else data.find(self.command)
        if at >= 0:
            os.write(self.pty, data[:at])
            self.held = b""
            return self.pass_command(data[at:])
        keep = 0 if self.acted else len(self.command) - 1
        while keep > 0 and not data.endswith(self.command[:keep]):
            keep -= 1
        self.held = data[len(data) - keep:]
        os.write(self.pty, data[:len(data) - keep])
        return True

    def run(self):
        while True:
            ready = select.select([self.host, self.pty], [], [])[0]
            if self.pty in ready:
                self.host.sendall(os.read(self.pty, 1024))
            if self.host in ready:
                data = self.host.recv(1024)
                if not data or not self.pass_down(data):
                    break
        self.host.close()
        sys.exit(0 if self.acted else "the command was never sent")


if __name__ == "__main__":
    try:
        Relay(*sys.argv[1:]).run()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the station is gone
