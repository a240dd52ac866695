/* Makes reads fail with EIO that touch bytes from EART_TEST_FROM on and before EART_TEST_TO of
   files whose path ends with EART_TEST_FILE. Loaded with LD_PRELOAD. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t pread64(int fd, void *out, size_t len, off_t at) {
  char link[64], path[4096];
  const char *end = getenv("EART_TEST_FILE");
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t got = readlink(link, path, sizeof path - 1);
  path[got < 0 ? 0 : got] = 0;
  size_t tail = strlen(end);
  if (strlen(path) >= tail && strcmp(path + strlen(path) - tail, end) == 0 &&
      at < atoll(getenv("EART_TEST_TO")) && at + (off_t)len > atoll(getenv("EART_TEST_FROM"))) {
    errno = EIO;
    return -1;
  }
  return syscall(SYS_pread64, fd, out, len, at);
}
