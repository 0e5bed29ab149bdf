"""Runs the table of USB troubles in the machine with USB: simbench, whose devices the kernel has,
and the station, which finds them by port path. Boards are swapped when their lamp is lit, and
programmers that were unplugged are plugged in again.

usage: usb_lane.py DIRECTORY BUILD
"""
import datetime
import json
import os
import subprocess
import sys
import threading
import time

import faults
import usb_faults

LIMIT_S = 110  # far above what a run takes: it is there for one that does not end
PLUG_TRIES = 50


def vhci_port(site):
    """Neighbours on different controllers, whose ports come to life beside each other."""
    return (site - 1) % 8 * 30 + (site - 1) // 8


class Bench:
    def __init__(self, directory, name, build):
        self.attach = os.path.join(build, "bin", "usbip_attach")
        self.process = subprocess.Popen(
            [os.path.join(build, "bin", "simbench"), os.path.join(directory, name + ".bench"),
             "--record", os.path.join(directory, name + ".record")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.places = {}
        for line in self.process.stdout:
            if line == "ready\n":
                break
            _, site, place = line.split()
            self.places[int(site)] = place
        self.server = self.places[1][len("usbip:"):].split("/")[0]

    def plug(self, sites):
        """Their places, as the kernel calls them; None when they are not to be had yet."""
        devices = ["%s@%d" % (self.places[site].split("/")[1], vhci_port(site)) for site in sites]
        found = subprocess.run([self.attach, "attach", self.server, *devices], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if found.returncode != 0:
            return None
        subprocess.run(["udevadm", "settle"], check=True)
        return [line.split()[1] for line in found.stdout.splitlines()]

    def plug_again(self, site, place):
        for _ in range(PLUG_TRIES):
            again = self.plug([site])
            if again is not None:
                assert again == [place], (again, place)
                return
            time.sleep(0.2)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def stop(self):
        self.say("quit")
        assert self.process.wait() == 0
        subprocess.run([self.attach, "detach", "all"], check=False)


def microseconds(text):
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(at.timestamp()) * 1000000 + at.microsecond


def follow(station, bench, places):
    """The operator's hands."""
    for line in station.stdout:
        event = json.loads(line)
        if event["event"] == "verdict":
            bench.say("lamp %d %s %d" % (event["site"], event["verdict"],
                                         microseconds(event["at"])))
        if event["event"] == "site" and event["state"] == "waiting" and \
                event.get("failure") == "programmer-gone":
            again = (event["site"], places[event["site"] - 1])
            threading.Thread(target=bench.plug_again, args=again).start()


def run(directory, build, name, profile, count):
    path = os.path.join(directory, name)
    with open(path + ".jig") as file:
        jig = json.load(file)
    faults.write(directory, name + ".bench", json.dumps(jig))
    bench = Bench(directory, name, build)
    places = bench.plug([site["site"] for site in jig["sites"]])
    faults.write(directory, name + ".jig", json.dumps({
        "jig": jig["jig"], "contact": jig["contact"],
        "sites": [{"site": site["site"], "programmer": site["programmer"], "at": place}
                  for site, place in zip(jig["sites"], places)]}))
    station = subprocess.Popen(
        ["timeout", "--signal", "KILL", str(LIMIT_S), os.path.join(build, "bin", "gangflash"),
         "flash", os.path.join(directory, profile + ".yaml"), "--jig", path + ".jig", "--go", "now",
         "--count", str(count), "--json", "--log", path + ".sqlite"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    follow(station, bench, places)
    status = station.wait()
    bench.stop()
    return status


def main():
    directory, build = sys.argv[1:]
    statuses = []
    usb_faults.make(directory, True)
    for name, profile, sites in usb_faults.runs(True):
        begun = time.monotonic()
        statuses.append(run(directory, build, name, profile, usb_faults.passes(sites)))
        print("%s: exit status %d, %.1f s" % (name, statuses[-1], time.monotonic() - begun))
    wrong = usb_faults.judge(directory, True)
    return 1 if wrong or set(statuses) - {1, 4} else 0


sys.exit(main())
