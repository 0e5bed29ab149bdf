"""A serial port with nobody behind it: makes a pseudo terminal, prints its path, and stays until its
input ends."""
import os
import sys
import tty

master, slave = os.openpty()
tty.setraw(slave)
print(os.ttyname(slave), flush=True)
os.close(slave)
sys.stdin.read()
