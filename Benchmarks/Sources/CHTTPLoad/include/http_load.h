#pragma once

/// Keeps keep-alive connections to 127.0.0.1 busy, each with one GET of "/" after the other, for a number of seconds.
/// Returns how many responses came whole and with status 200, or -1 when one did not; `error` then says why.
long http_load(int port, int connections, double seconds, const char **error);
