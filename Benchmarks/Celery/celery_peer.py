"""Celery's side of the RabbitMQ rows. Each run measures itself and prints a line "rate", with operations per second.

celery_peer.py publish URL QUEUE COUNT LENGTH    COUNT calls of apply_async, LENGTH characters of argument each
celery_peer.py fill URL QUEUE COUNT LENGTH       the same, without a figure
celery_peer.py work URL QUEUE COUNT              a worker with two processes, from the first to the last of COUNT jobs
"""

import multiprocessing
import os
import signal
import sys
import time

from celery import Celery

# Whoever starts this from a thread that blocks signals would never get rid of it.
signal.pthread_sigmask(signal.SIG_SETMASK, [])

mode, url, queue, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
app = Celery("bench", broker=url, set_as_current=False)
app.conf.update(
    task_default_queue=queue,
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)

done = multiprocessing.Value("q", 0)
began = multiprocessing.Value("d", 0.0)


@app.task(name="bench.noop")
def noop(text):
    with done.get_lock():
        done.value += 1
        if done.value == 1:
            began.value = time.monotonic()
        elif done.value == count:
            os.write(1, f"rate {(count - 1) / (time.monotonic() - began.value)}\n".encode())


if mode == "work":
    app.worker_main(["worker", "-c", "2", "-l", "critical", "-n", f"bench-{os.getpid()}@localhost"])
else:
    text = "x" * int(sys.argv[5])
    noop.apply_async((), {"text": text})  # the connection and the queue
    start = time.monotonic()
    for _ in range(count - 1):
        noop.apply_async((), {"text": text})
    if mode == "publish":
        print("rate", (count - 1) / (time.monotonic() - start))
