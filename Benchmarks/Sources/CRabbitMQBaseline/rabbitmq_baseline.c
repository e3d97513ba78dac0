#include "rabbitmq_baseline.h"
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static bool is_fine(amqp_connection_state_t state) { return amqp_get_rpc_reply(state).reply_type == AMQP_RESPONSE_NORMAL; }

// NULL when the server cannot be reached; the queue is declared, durable.
static amqp_connection_state_t open_channel(const rabbitmq_baseline_server *server) {
    amqp_connection_state_t state = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(state);
    if (socket != NULL && amqp_socket_open(socket, server->host, server->port) == AMQP_STATUS_OK &&
        amqp_login(state, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, server->user, server->password).reply_type ==
            AMQP_RESPONSE_NORMAL) {
        amqp_channel_open(state, 1);
        if (is_fine(state)) {
            amqp_queue_declare(state, 1, amqp_cstring_bytes(server->queue), 0, 1, 0, 0, amqp_empty_table);
            if (is_fine(state)) return state;
        }
    }
    amqp_destroy_connection(state);
    return NULL;
}

static void close_channel(amqp_connection_state_t state) {
    amqp_connection_close(state, 200);
    amqp_destroy_connection(state);
}

int rabbitmq_baseline_empty(const rabbitmq_baseline_server *server) {
    amqp_connection_state_t state = open_channel(server);
    if (state == NULL) return 1;
    amqp_queue_purge(state, 1, amqp_cstring_bytes(server->queue));
    int failure = is_fine(state) ? 0 : 2;
    close_channel(state);
    return failure;
}

// --- A message of Celery's

enum { header_count = 19 };

static amqp_field_value_t nothing(void) { return (amqp_field_value_t){.kind = AMQP_FIELD_KIND_VOID}; }

static amqp_field_value_t text(const char *value) {
    amqp_field_value_t field = {.kind = AMQP_FIELD_KIND_UTF8};
    field.value.bytes = amqp_cstring_bytes(value);
    return field;
}

static amqp_field_value_t number(int value) {
    amqp_field_value_t field = {.kind = AMQP_FIELD_KIND_I32};
    field.value.i32 = value;
    return field;
}

static void fill_headers(amqp_table_entry_t *headers, amqp_field_value_t *limits, const char *task, const char *id) {
    amqp_field_value_t pair = {.kind = AMQP_FIELD_KIND_ARRAY}, no = {.kind = AMQP_FIELD_KIND_BOOLEAN}, empty = {.kind = AMQP_FIELD_KIND_TABLE};
    limits[0] = limits[1] = nothing();
    pair.value.array = (amqp_array_t){.num_entries = 2, .entries = limits};
    no.value.boolean = 0;
    empty.value.table = amqp_empty_table;
    const char *names[header_count] = {"lang",      "task",    "id",         "shadow",        "eta",    "expires",      "group",
                                       "group_index", "retries", "timelimit", "root_id",       "parent_id", "argsrepr",  "kwargsrepr",
                                       "origin",    "ignore_result", "replaced_task_nesting", "stamped_headers", "stamps"};
    const amqp_field_value_t values[header_count] = {text("c"), text(task), text(id),  nothing(), nothing(), nothing(), nothing(),
                                                     nothing(), number(0),  pair,      text(id),  nothing(), text(""),  text("<1>"),
                                                     nothing(), no,         number(0), nothing(), empty};
    for (int i = 0; i < header_count; i++) headers[i] = (amqp_table_entry_t){.key = amqp_cstring_bytes(names[i]), .value = values[i]};
}

static int publish_one(
    amqp_connection_state_t state, const rabbitmq_baseline_server *server, const char *task, const char *id, const void *body,
    size_t length) {
    amqp_table_entry_t headers[header_count];
    amqp_field_value_t limits[2];
    fill_headers(headers, limits, task, id);
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_PRIORITY_FLAG |
                  AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_HEADERS_FLAG,
        .content_type = amqp_cstring_bytes("application/json"),
        .content_encoding = amqp_cstring_bytes("utf-8"),
        .correlation_id = amqp_cstring_bytes(id),
        .delivery_mode = 2,
        .headers = {.num_entries = header_count, .entries = headers},
    };
    amqp_bytes_t bytes = {.len = length, .bytes = (void *)body};
    return amqp_basic_publish(state, 1, amqp_empty_bytes, amqp_cstring_bytes(server->queue), 1, 0, &properties, bytes);
}

// --- Publishing

// Takes one frame, waiting for it. Confirms are counted in `confirmed`; false when something else came.
static bool take_confirm(amqp_connection_state_t state, uint64_t *confirmed) {
    amqp_frame_t frame;
    if (amqp_simple_wait_frame(state, &frame) != AMQP_STATUS_OK) return false;
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD) return false;
    const amqp_basic_ack_t *ack = frame.payload.method.decoded;
    // RabbitMQ confirms one classic queue's messages in their order.
    *confirmed = ack->delivery_tag > *confirmed ? ack->delivery_tag : *confirmed;
    amqp_maybe_release_buffers(state);
    return true;
}

int rabbitmq_baseline_publish(
    const rabbitmq_baseline_server *server, const char *task, int run, int count, int portions, int window, const void *body,
    size_t length, double *seconds) {
    amqp_connection_state_t state = open_channel(server);
    if (state == NULL) return 1;
    int failure = 0;
    amqp_confirm_select(state, 1);
    if (!is_fine(state)) failure = 2;
    *seconds = 0;
    uint64_t sent = 0, confirmed = 0;
    for (int portion = 1; portion <= portions && !failure; portion++) {
        if (portion > 1) {
            amqp_queue_purge(state, 1, amqp_cstring_bytes(server->queue));
            if (!is_fine(state)) failure = 5;
        }
        const uint64_t end = (uint64_t)count * (uint64_t)portion;
        double start = now();
        while (!failure && confirmed < end) {
            while (!failure && sent < end && sent - confirmed < (uint64_t)window) {
                char id[64];
                snprintf(id, sizeof id, "%08x-0000-4000-8000-%012x", (unsigned)run, (unsigned)sent);
                if (publish_one(state, server, task, id, body, length) != AMQP_STATUS_OK) failure = 3;
                sent++;
            }
            if (!failure && !take_confirm(state, &confirmed)) failure = 4;
        }
        *seconds += now() - start;
    }
    close_channel(state);
    return failure;
}

// --- Consuming

int rabbitmq_baseline_consume(const rabbitmq_baseline_server *server, int count, int prefetch, double *seconds) {
    amqp_connection_state_t state = open_channel(server);
    if (state == NULL) return 1;
    int failure = 0;
    amqp_basic_qos(state, 1, 0, (uint16_t)prefetch, 0);
    if (!is_fine(state)) failure = 2;
    amqp_basic_consume(state, 1, amqp_cstring_bytes(server->queue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    if (!failure && !is_fine(state)) failure = 3;
    double start = 0;
    for (int i = 0; i < count && !failure; i++) {
        amqp_maybe_release_buffers(state);
        amqp_envelope_t envelope;
        if (amqp_consume_message(state, &envelope, NULL, 0).reply_type != AMQP_RESPONSE_NORMAL) {
            failure = 4;
            break;
        }
        if (i == 0) start = now();
        if (amqp_basic_ack(state, 1, envelope.delivery_tag, 0) != AMQP_STATUS_OK) failure = 5;
        amqp_destroy_envelope(&envelope);
    }
    if (!failure) {
        amqp_queue_declare(state, 1, amqp_cstring_bytes(server->queue), 1, 1, 0, 0, amqp_empty_table);
        if (!is_fine(state)) failure = 6;
    }
    *seconds = now() - start;
    close_channel(state);
    return failure;
}
