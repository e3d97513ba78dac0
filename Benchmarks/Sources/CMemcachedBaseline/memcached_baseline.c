#include "memcached_baseline.h"
#include <libmemcached/memcached.h>
#include <string.h>

int memcached_baseline_mget(const char *const *hosts, const int *ports, int servers, const char *const *keys, int count, int rounds) {
    size_t lengths[256];
    if (count > 256) return 1;
    for (int i = 0; i < count; i++) lengths[i] = strlen(keys[i]);
    memcached_st *pool = memcached_create(NULL);
    if (pool == NULL) return 2;
    memcached_behavior_set(pool, MEMCACHED_BEHAVIOR_KETAMA, 1);
    memcached_behavior_set(pool, MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1);
    memcached_behavior_set(pool, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
    for (int i = 0; i < servers; i++) memcached_server_add(pool, hosts[i], (in_port_t)ports[i]);
    int failure = 0;
    memcached_result_st result;
    memcached_result_create(pool, &result);
    for (int round = 0; round < rounds && !failure; round++) {
        if (memcached_mget(pool, keys, lengths, (size_t)count) != MEMCACHED_SUCCESS) failure = 3;
        int found = 0;
        memcached_return_t status;
        while (!failure && memcached_fetch_result(pool, &result, &status) != NULL)
            if (memcached_result_length(&result) > 0) found++;
        if (found != count) failure = 4;
    }
    memcached_result_free(&result);
    memcached_free(pool);
    return failure;
}
