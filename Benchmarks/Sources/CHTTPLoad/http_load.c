#define _GNU_SOURCE
#include "http_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// One thread and poll(2): whoever is measured is another process, and a request here costs a write and a read.

enum { BUFFER = 8192 };
static const char REQUEST[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

typedef struct {
    size_t length;
    char bytes[BUFFER];
} connection;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int dial(int port) {
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (descriptor < 0) return -1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0) return descriptor;
    close(descriptor);
    return -1;
}

static int ask(int descriptor) {
    return send(descriptor, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) == sizeof REQUEST - 1;
}

/// How long the response at the buffer's beginning is: 0 while it is not whole, -1 when it is no 200 of known length.
static long response_length(const char *bytes, size_t length) {
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end) return length < BUFFER ? 0 : -1;
    if (strncmp(bytes, "HTTP/1.1 200", 12) != 0) return -1;
    for (const char *line = bytes; line < end; line = (const char *)memmem(line, (size_t)(end + 2 - line), "\r\n", 2) + 2) {
        if (strncasecmp(line, "Content-Length:", 15) != 0) continue;
        long body = strtol(line + 15, NULL, 10);
        long whole = (end + 4 - bytes) + body;
        if (body < 0 || whole > BUFFER) return -1;
        return whole <= (long)length ? whole : 0;
    }
    return -1;
}

/// Reads what is there. 1 when a response became whole, 0 when more is needed, -1 on an error.
static int receive(int descriptor, connection *state) {
    ssize_t count = recv(descriptor, state->bytes + state->length, BUFFER - state->length, 0);
    if (count <= 0) return -1;
    state->length += (size_t)count;
    long whole = response_length(state->bytes, state->length);
    if (whole <= 0) return (int)whole;
    // Nothing was sent ahead, so nothing can stand behind it.
    if ((size_t)whole != state->length) return -1;
    state->length = 0;
    return 1;
}

long http_load(int port, int connections, double seconds, const char **error) {
    struct pollfd *polled = calloc((size_t)connections, sizeof *polled);
    connection *states = calloc((size_t)connections, sizeof *states);
    long done = 0;
    *error = NULL;
    for (int i = 0; i < connections && !*error; i++) {
        polled[i] = (struct pollfd){.fd = dial(port), .events = POLLIN};
        if (polled[i].fd < 0 || !ask(polled[i].fd)) *error = "cannot connect or send";
    }
    double end = now() + seconds;
    while (!*error && now() < end) {
        if (poll(polled, (nfds_t)connections, 1000) < 0 && errno != EINTR) *error = "poll failed";
        for (int i = 0; i < connections && !*error; i++) {
            if (!polled[i].revents) continue;
            int result = receive(polled[i].fd, &states[i]);
            if (result < 0) *error = "a response was cut off, or not a whole 200";
            if (result > 0) {
                done++;
                if (!ask(polled[i].fd)) *error = "cannot send";
            }
        }
    }
    for (int i = 0; i < connections; i++) {
        if (polled[i].fd > 0) close(polled[i].fd);
    }
    free(polled);
    free(states);
    return *error ? -1 : done;
}
