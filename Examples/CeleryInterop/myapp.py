"""The Python side: an application with a task that runs in Swift, and a worker for a task that Swift calls."""

import os
import sys

from celery import Celery

app = Celery(
    "myapp",
    broker=os.environ.get("CELERY_BROKER", "amqp://guest:guest@127.0.0.1:5672//"),
    backend=os.environ.get("CELERY_BACKEND", "redis://127.0.0.1:6379/0"),
)
# One queue for each language: a worker takes all that is in its queues, and runs what it knows.
app.conf.task_routes = {"myapp.tasks.send_email_notification": {"queue": "swift"}}
app.conf.task_default_queue = "python"


@app.task(name="myapp.tasks.render_template")
def render_template(template, user_id):
    return f"{template.title()}, user {user_id}!"


if __name__ == "__main__":
    user_id = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    sent = app.send_task("myapp.tasks.send_email_notification", kwargs={"user_id": user_id, "template": "welcome"})
    print(sent.id)
    print(sent.get(timeout=30))
