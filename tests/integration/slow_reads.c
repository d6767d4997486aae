/* A disk that gives each reader so many bytes per second: preloaded into producers, it makes `read` take that
 * long for regular files of at least SLOW_READS_FROM bytes. What else a process reads is as fast as ever. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

ssize_t read(int fd, void *buffer, size_t count) {
  static ssize_t (*next)(int, void *, size_t);
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, "read");
  ssize_t got = next(fd, buffer, count);
  const char *from = getenv("SLOW_READS_FROM"), *rate = getenv("SLOW_READS_BYTES_PER_S");
  struct stat facts;
  if (got > 0 && from && rate && !fstat(fd, &facts) && S_ISREG(facts.st_mode) && facts.st_size >= atoll(from)) {
    double seconds = got / atof(rate);
    struct timespec wait = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    nanosleep(&wait, NULL);
  }
  return got;
}
