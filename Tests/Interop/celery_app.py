"""Real Celery for the tests: a client that takes commands, a worker, and the application of both.

    python celery_app.py client                 one JSON command per line of input, one JSON answer per line of output
    python celery_app.py worker QUEUE [ARG ...]  a worker in this process alone; further arguments are Celery's own

Broker and result backend are in SCALEKIT_INTEROP_BROKER and SCALEKIT_INTEROP_BACKEND. The process ends itself after
SCALEKIT_INTEROP_SECONDS (600 when absent), whatever becomes of those who started it.
"""

import base64
import json
import os
import signal
import sys
import traceback

from celery import Celery, chain, chord, group
from celery.app.control import Control
from celery.result import AsyncResult


class PatientControl(Control):
    """Waits longer for an answer than Celery's second, which a busy machine may need.

    It is not waited for in vain: as many answers are expected as there are destinations, and one to a worker that says hello, since no test
    has more workers to answer it.
    """

    def broadcast(self, command, *args, destination=None, reply=False, timeout=1.0, limit=None, **kwargs):
        if command == "hello":
            limit = 1
        if reply and (destination or limit):
            timeout = max(timeout, 20.0)
        return super().broadcast(command, *args, destination=destination, reply=reply, timeout=timeout, limit=limit, **kwargs)


app = Celery(
    "myapp",
    broker=os.environ["SCALEKIT_INTEROP_BROKER"],
    backend=os.environ["SCALEKIT_INTEROP_BACKEND"],
    control=PatientControl,
)
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_create_missing_queues=True,
    task_default_queue="celery",
    **json.loads(os.environ.get("SCALEKIT_INTEROP_CONF", "{}")),
)


# The signatures that the Swift worker of the tests implements; here they are only called.


@app.task(name="myapp.tasks.send_email_notification", ignore_result=False)
def send_email_notification(user_id, template="welcome"):
    raise AssertionError("this task runs in Swift")


@app.task(name="swift.sum")
def swift_sum(x, y):
    raise AssertionError("this task runs in Swift")


# What Swift calls.


@app.task(name="python.add")
def add(x, y):
    return x + y


@app.task(name="python.echo")
def echo(*args, **kwargs):
    return {"args": args, "kwargs": kwargs}


@app.task(name="python.inspect", bind=True)
def inspect(self):
    request = self.request
    return {
        "id": request.id,
        "headers": request.headers,
        "eta": request.eta,
        "retries": request.retries,
        "root_id": request.root_id,
        "parent_id": request.parent_id,
        "priority": request.delivery_info.get("priority"),
        "timelimit": request.timelimit,
    }


@app.task(name="python.fail")
def fail(message):
    raise ValueError(message)


@app.task(name="python.again", bind=True, max_retries=1, default_retry_delay=0)
def again(self):
    if self.request.retries == 0:
        raise self.retry(exc=KeyError("again"), countdown=0)
    return self.request.retries


@app.task(name="python.sum")
def add_up(numbers):
    return sum(numbers)


# The client's commands. Each is a function from the command to what is answered.


def send(command):
    result = app.send_task(
        command["task"], args=command.get("args"), kwargs=command.get("kwargs"), **command.get("options", {})
    )
    return result.id


def delay(command):
    """The way that an application calls a task of its own."""
    return app.tasks[command["task"]].delay(*command.get("args", []), **command.get("kwargs", {})).id


def chained(command):
    """Calls as a chain; answers with their ids in order. What a call is linked to is a part of it."""
    steps = []
    for step in command["steps"]:
        signature = app.signature(step["task"], args=step.get("args", []), immutable=step.get("immutable", False))
        for name, add in (("link", signature.link), ("link_error", signature.link_error)):
            if name in step:
                add(app.signature(step[name]["task"], args=step[name].get("args", []), immutable=step[name].get("immutable", False)))
        steps.append(signature)
    ids, result = [], chain(*steps).apply_async()
    while result is not None:
        ids.insert(0, result.id)
        result = result.parent
    return ids


def signature(spec):
    """A canvas as the tests write it: {"chain": [...]}, {"group": [...]}, {"chord": [...], "body": ...}, or a call."""
    if "chain" in spec:
        return chain(*map(signature, spec["chain"]))
    if "group" in spec:
        return group(*map(signature, spec["group"]))
    if "chord" in spec:
        return chord(list(map(signature, spec["chord"])), signature(spec["body"]))
    call = app.signature(spec["task"], args=spec.get("args", []), immutable=spec.get("immutable", False), options=spec.get("options", {}))
    for name in ("link", "link_error"):
        for linked in spec.get(name, []):
            getattr(call, name)(signature(linked))
    return call


# Results that know what they are made of, by their ids.
applied = {}


def canvas(command):
    """Applies a canvas; answers with the id that it ends with."""
    result = signature(command["canvas"]).apply_async()
    applied[result.id] = result
    return result.id


def get(command):
    result = None if command.get("alone") else applied.get(command["id"])
    result = result or AsyncResult(command["id"], app=app)
    value = result.get(timeout=command.get("timeout", 60), interval=0.05)
    return {"value": value, "state": getattr(result, "state", None)}


def state(command):
    result = AsyncResult(command["id"], app=app)
    info = result.info
    return {
        "state": result.state,
        "info": {"type": type(info).__name__, "module": type(info).__module__, "args": [str(part) for part in info.args]}
        if isinstance(info, BaseException)
        else info,
        "ready": result.ready(),
        "retries": result.retries,
    }


def publish(command):
    """A message as it is given, of bytes that need not be a task's, to a queue."""
    body = base64.b64decode(command["body"]) if "body" in command else b"x" * command["size"]
    properties = {name: value for name, value in command.get("properties", {}).items() if value is not None}
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        # py-amqp itself: kombu would see to a content type and an encoding.
        import amqp

        channel.basic_publish(
            amqp.Message(body, application_headers=command.get("headers"), **properties), exchange="", routing_key=command["queue"]
        )
    return True


def declare(command):
    """A queue with arguments of one's own."""
    with app.connection_for_write() as connection:
        connection.default_channel.queue_declare(
            command["queue"], durable=True, auto_delete=False, exclusive=False, arguments=command["arguments"]
        )
    return True


commands = {
    "send": send,
    "delay": delay,
    "chained": chained,
    "canvas": canvas,
    "get": get,
    "state": state,
    "publish": publish,
    "declare": declare,
}


def answer(line):
    command = json.loads(line)
    try:
        return {"answer": commands[command["do"]](command)}
    except BaseException as error:
        return {
            "error": {
                "type": type(error).__name__,
                "module": type(error).__module__,
                "args": [str(part) for part in error.args],
                "trace": traceback.format_exc(limit=-3),
            }
        }


def client():
    for line in sys.stdin:
        print("answer " + json.dumps(answer(line), default=str), flush=True)


if __name__ == "__main__":
    signal.alarm(int(os.environ.get("SCALEKIT_INTEROP_SECONDS", "600")))
    if sys.argv[1] == "worker":
        app.worker_main(
            ["worker", "--pool=solo", "--loglevel=INFO", "--queues", sys.argv[2], "--without-gossip", "--without-mingle"] + sys.argv[3:]
        )
    else:
        client()
