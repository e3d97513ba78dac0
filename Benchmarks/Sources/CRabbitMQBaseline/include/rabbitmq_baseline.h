#pragma once

// The C side of the RabbitMQ rows: rabbitmq-c on one connection with one channel.

#include <stddef.h>

typedef struct {
    const char *host;
    int port;
    const char *user;
    const char *password;
    const char *queue;
} rabbitmq_baseline_server;

// Publishes `portions` times `count` messages of `task` as a Celery client writes them, persistent and mandatory, each with an id of its
// own that begins with `run`, and waits for all confirms of a portion; at most `window` are unconfirmed at a time. The queue is declared
// before the clock starts, and emptied between two portions while it stands. Returns 0 and the seconds that it took, or a number that
// says where it failed.
int rabbitmq_baseline_publish(
    const rabbitmq_baseline_server *server, const char *task, int run, int count, int portions, int window, const void *body,
    size_t length, double *seconds);

// Consumes `count` messages with a prefetch of `prefetch`, and acknowledges each by itself. The clock runs from the first message to the
// answer to a question asked after the last acknowledgement.
int rabbitmq_baseline_consume(const rabbitmq_baseline_server *server, int count, int prefetch, double *seconds);

// Declares the queue, or empties it when it is there.
int rabbitmq_baseline_empty(const rabbitmq_baseline_server *server);
