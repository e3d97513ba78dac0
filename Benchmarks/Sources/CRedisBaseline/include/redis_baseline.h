#pragma once

// The C side of the Redis rows: hiredis' blocking client with a pipeline.

// Sends `rounds` pipelines of `depth` GETs of `key` over one connection and reads all replies.
// Returns 0, or a number that says where it failed.
int redis_baseline_get(const char *host, int port, const char *key, int depth, int rounds);
