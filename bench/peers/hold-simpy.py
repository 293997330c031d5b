#!/usr/bin/python3
"""The hold model on SimPy 3 (Debian: python3-simpy3): one process for each pending event. Prints one line of JSON."""

import json
import math
import sys
import time

import simpy

options = {"pending": 1000, "events": 200000, "warm": 20000}
for argument in sys.argv[1:]:
    name, value = argument.lstrip("-").split("=", 1)
    options[name] = int(value)

QUANTILES = [math.floor(-math.log((i + 0.5) / 65536) * 1e6) for i in range(65536)]


def delays():
    x = 2463534242
    while True:
        x ^= (x << 13) & 0xFFFFFFFF
        x ^= x >> 17
        x ^= (x << 5) & 0xFFFFFFFF
        yield QUANTILES[x >> 16] + (x & 1023)


# Drawn before the clock runs: Python's own arithmetic is not what is compared.
pending, events, warm = options["pending"], options["events"], options["warm"]
source = delays()
drawn = iter([next(source) for _ in range(pending + events + warm)])
environment = simpy.Environment()


def holder():
    while True:
        yield environment.timeout(next(drawn))


for _ in range(pending):
    environment.process(holder())
# The first step of each process, at time 0, is no event of the model.
for _ in range(pending + warm):
    environment.step()
start = time.process_time()
for _ in range(events):
    environment.step()
seconds = time.process_time() - start
print(
    json.dumps(
        {
            "program": "SimPy 3",
            "pending": pending,
            "events": events,
            "seconds": seconds,
            "millionsPerSecond": events / seconds / 1e6,
            "nsPerEvent": seconds * 1e9 / events,
            "check": environment.now,
        }
    )
)
