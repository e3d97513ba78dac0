"""Writes the golden vectors: messages and results as real Celery writes them, read back from RabbitMQ and Redis.

    Scripts/with-services .build-python/bin/python Tests/Interop/vectors.py --write

writes Tests/QueueKitTests/Vectors/celery.json; without --write they are printed on one line. Ids and the clock are fixed, and what names this
machine is replaced, so that two runs differ only where Celery does.
"""

import datetime
import decimal
import json
import os
import pathlib
import signal
import sys
import uuid

import celery
import kombu
from celery import Celery, chain
from celery.app.task import Context

fixture = pathlib.Path(__file__).parent.parent / "QueueKitTests" / "Vectors" / "celery.json"
queue = "vectors"
now = datetime.datetime(2026, 11, 24, 2, 12, 23, 750195, tzinfo=datetime.timezone.utc)
ids = ["%d%d%d%d%d%d%d%d-1111-4111-8111-111111111111" % ((digit,) * 8) for digit in range(10)]

app = Celery(
    "proj",
    broker=os.environ.get("SCALEKIT_INTEROP_BROKER") or os.environ["SCALEKIT_TEST_AMQP"],
    backend=os.environ.get("SCALEKIT_INTEROP_BACKEND") or os.environ["SCALEKIT_TEST_REDIS"],
)
app.conf.task_default_queue = queue
app.now = lambda: now
reply_to = "fa589104-a0ce-36e2-9efa-f2b95f569c18"


@app.task(name="proj.add")
def add(x, y):
    return x + y


@app.task(name="proj.tsum")
def tsum(numbers):
    return sum(numbers)


def send_plain():
    add.apply_async((2, 3), task_id=ids[1], reply_to=reply_to)


def send_options():
    add.apply_async(
        (2,), {"y": 3}, task_id=ids[2], reply_to=reply_to, countdown=10, expires=60, priority=5, time_limit=30, soft_time_limit=20,
        ignore_result=True, shadow="shadow.add", retries=2, root_id=ids[8], parent_id=ids[9], group_id="g", group_index=1,
        headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tenant": "é😀"},
        link=tsum.s().set(task_id=ids[3]), link_error=tsum.si([]).set(task_id=ids[4]),
    )


def send_chain():
    chain(add.s(2, 3).set(task_id=ids[1]), add.s(4).set(task_id=ids[2]), tsum.s().set(task_id=ids[3])).apply_async(reply_to=reply_to)


def send_values():
    values = [
        None, True, -1, 2**53 + 1, 2**64, 0.1, 1e300, float("nan"), float("inf"), "é😀\0\"\\\u2028", [], {}, {"a": [[{}]]}, now,
        now.date(), now.time(), uuid.UUID(ids[1]), decimal.Decimal("1.10"), b"bytes", b"\xff\xfe",
    ]
    app.send_task("proj.values", values, {"none": None, "now": now}, task_id=ids[1], reply_to=reply_to)


def read_back(send):
    """The one message that `send` sends, without what names this machine."""
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        channel.queue_declare(queue, durable=True, auto_delete=False)
        channel.queue_purge(queue)
        send()
        message = None
        while message is None:
            message = channel.basic_get(queue, no_ack=True)
        channel.queue_delete(queue)
        channel.exchange_delete(queue)
    headers = message.properties.pop("application_headers")
    headers["origin"] = "gen1@vm"
    body = message.body if isinstance(message.body, str) else message.body.decode("utf-8")
    # Signatures within the body get the process' own queue of replies.
    return {"properties": message.properties, "headers": headers, "body": body.replace(app.thread_oid, reply_to)}


def results():
    backend = app.backend
    client = backend.client

    def stored(store):
        backend.client.delete(backend.get_key_for_task(ids[1]))
        backend._cache.pop(ids[1], None)
        store()
        value = client.get(backend.get_key_for_task(ids[1])).decode("utf-8")
        client.delete(backend.get_key_for_task(ids[1]))
        return value

    def request(**more):
        return Context(id=ids[1], task="proj.add", args=[2, 3], kwargs={}, retries=1, children=[], hostname="w1@vm",
                       delivery_info={"routing_key": queue}, **more)

    trace = 'Traceback (most recent call last):\n  File "proj.py", line 1, in add\n'
    found = {
        "success": stored(lambda: backend.mark_as_done(ids[1], 5, request=request())),
        "failure": stored(lambda: backend.mark_as_failure(ids[1], ValueError("boom"), traceback=trace, request=request())),
        "failure of two words": stored(lambda: backend.mark_as_failure(ids[1], ValueError("boom", 2), request=request())),
        "retry": stored(lambda: backend.mark_as_retry(ids[1], KeyError("again"), traceback=trace, request=request())),
        "revoked": stored(lambda: backend.mark_as_revoked(ids[1], "expired", request=request())),
        "started": stored(lambda: backend.mark_as_started(ids[1], pid=1, hostname="w1@vm")),
        "progress": stored(lambda: backend.store_result(ids[1], {"done": 3}, "PROGRESS", request=request())),
        "grouped": stored(lambda: backend.mark_as_done(ids[1], None, request=request(group="g", parent_id=ids[9]))),
    }
    app.conf.result_extended = True
    found["extended"] = stored(lambda: backend.mark_as_done(ids[1], 5, request=request()))
    app.conf.result_extended = False
    return found


def vectors():
    sends = {"plain": send_plain, "options": send_options, "chain": send_chain, "values": send_values}
    return {
        "celery": celery.__version__,
        "kombu": kombu.__version__,
        "messages": {name: read_back(send) for name, send in sends.items()},
        "results": results(),
    }


if __name__ == "__main__":
    signal.alarm(int(os.environ.get("SCALEKIT_INTEROP_SECONDS", "600")))
    if "--write" in sys.argv:
        fixture.write_text(json.dumps(vectors(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    else:
        print("vectors " + json.dumps(vectors()), flush=True)
