#pragma once

/// Asks `rounds` times for `count` keys in one multi-get each, by libmemcached with ketama. 0, or the step that failed.
int memcached_baseline_mget(const char *const *hosts, const int *ports, int servers, const char *const *keys, int count, int rounds);
