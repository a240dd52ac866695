/* Makes the EART_TEST_FAULT-th sync of a process fail with EART_TEST_ERRNO, and says on standard
   error that it did. Loaded with LD_PRELOAD. */

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int sync_fd(long call, int fd) {
  static atomic_int calls;
  if (++calls == atoi(getenv("EART_TEST_FAULT"))) {
    static const char told[] = "[fault]\n";
    if (write(2, told, sizeof told - 1) < 0) abort();
    errno = atoi(getenv("EART_TEST_ERRNO"));
    return -1;
  }
  return (int)syscall(call, fd);
}

int fsync(int fd) { return sync_fd(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_fd(SYS_fdatasync, fd); }
