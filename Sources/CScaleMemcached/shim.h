// libmemcached, the client that CacheKitMemcached stands on.
#if __has_include(<libmemcached/memcached.h>)
#include <libmemcached/memcached.h>
#else
#error "libmemcached is missing: install libmemcached-dev (Debian, Ubuntu) or libmemcached (Homebrew)"
#endif
