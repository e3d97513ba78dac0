#include "redis_baseline.h"
#include <hiredis/hiredis.h>

int redis_baseline_get(const char *host, int port, const char *key, int depth, int rounds) {
    redisContext *context = redisConnect(host, port);
    if (context == NULL || context->err) return 1;
    int failure = 0;
    for (int round = 0; round < rounds && !failure; round++) {
        for (int i = 0; i < depth && !failure; i++)
            if (redisAppendCommand(context, "GET %s", key) != REDIS_OK) failure = 2;
        for (int i = 0; i < depth && !failure; i++) {
            redisReply *reply = NULL;
            if (redisGetReply(context, (void **)&reply) != REDIS_OK || reply == NULL || reply->type != REDIS_REPLY_STRING) failure = 3;
            if (reply != NULL) freeReplyObject(reply);
        }
    }
    redisFree(context);
    return failure;
}
