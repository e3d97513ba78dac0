// rabbitmq-c, and what of it Swift cannot see: a variadic function, and method numbers that are macros with casts.
#if __has_include(<amqp.h>)
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#else
#error "rabbitmq-c is missing: install librabbitmq-dev (Debian, Ubuntu) or rabbitmq-c (Homebrew)"
#endif

static inline amqp_rpc_reply_t scale_amqp_login(
    amqp_connection_state_t state, const char *virtual_host, int channel_max, int frame_max, int heartbeat,
    const amqp_table_t *properties, const char *user, const char *password) {
    return amqp_login_with_properties(
        state, virtual_host, channel_max, frame_max, heartbeat, properties, AMQP_SASL_METHOD_PLAIN, user, password);
}

// Exchange-to-exchange bindings and nack have methods in rabbitmq-c; these numbers are for recognizing what the server sends.
static const uint32_t scale_amqp_basic_deliver = 0x003C003C;
static const uint32_t scale_amqp_basic_return = 0x003C0032;
static const uint32_t scale_amqp_basic_ack = 0x003C0050;
static const uint32_t scale_amqp_basic_nack = 0x003C0078;
static const uint32_t scale_amqp_basic_cancel = 0x003C001E;
static const uint32_t scale_amqp_basic_cancel_ok = 0x003C001F;
static const uint32_t scale_amqp_channel_close = 0x00140028;
static const uint32_t scale_amqp_channel_close_ok = 0x00140029;
static const uint32_t scale_amqp_connection_close = 0x000A0032;
static const uint32_t scale_amqp_connection_close_ok = 0x000A0033;
static const uint32_t scale_amqp_connection_blocked = 0x000A003C;
static const uint32_t scale_amqp_connection_unblocked = 0x000A003D;
