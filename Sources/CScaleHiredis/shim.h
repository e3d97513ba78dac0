// The parts of hiredis that ScaleRedis uses: its reply reader, and the formatter as an oracle in tests.
#if __has_include(<hiredis/hiredis.h>)
#include <hiredis/hiredis.h>
#include <hiredis/read.h>
#else
#error "hiredis is missing: install libhiredis-dev (Debian, Ubuntu) or hiredis (Homebrew)"
#endif
