"""Durable enqueue and run with huey's SQLite storage, for the rows of SQLiteRows.swift.

huey_rounds.py FILE: for each line `COUNT BATCH` of the standard input, enqueues and runs COUNT jobs in batches of BATCH (which huey
enqueues and takes one by one; it knows no other way), and prints {"seconds": …, "run": …}.
"""
import json
import logging
import sys
import time

from huey import SqliteHuey

logging.disable(logging.CRITICAL)
# fsync: synchronous = FULL, as ours. WAL is its default.
queue = SqliteHuey("bench", filename=sys.argv[1], fsync=True, results=True)
runs = 0


@queue.task()
def note(number):
    global runs
    runs += 1
    return number


for line in sys.stdin:
    count, batch = map(int, line.split())
    runs = 0
    start = time.perf_counter()
    for _ in range(count // batch):
        for number in range(batch):
            note(number)
        while (task := queue.dequeue()) is not None:
            queue.execute(task)
    print(json.dumps({"seconds": time.perf_counter() - start, "run": runs}), flush=True)
