/* Shift the wall clock of a process by SHIOL_TESTS_CLOCK_OFFSET seconds when preloaded.
 *
 * The monotonic clock stays as it is. libfaketime 0.9.10 was tried first: with the monotonic clock left alone,
 * Python's time.sleep fails with EINVAL and Chromium's threads spin.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long offset(void) {
    static long seconds;
    static int known;
    if (!known) {
        const char *text = getenv("SHIOL_TESTS_CLOCK_OFFSET");
        seconds = text ? atol(text) : 0;
        known = 1;
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *result) {
    static int (*original)(clockid_t, struct timespec *);
    if (!original) *(void **)&original = dlsym(RTLD_NEXT, "clock_gettime");
    int status = original(clock, result);
    if (!status && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) result->tv_sec += offset();
    return status;
}

int gettimeofday(struct timeval *result, void *zone) {
    static int (*original)(struct timeval *, void *);
    if (!original) *(void **)&original = dlsym(RTLD_NEXT, "gettimeofday");
    int status = original(result, zone);
    if (!status) result->tv_sec += offset();
    return status;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}

/* multiprocessing passes a deadline on the wall clock; the kernel compares it with the real one. */
int sem_timedwait(sem_t *semaphore, const struct timespec *deadline) {
    static int (*original)(sem_t *, const struct timespec *);
    if (!original) *(void **)&original = dlsym(RTLD_NEXT, "sem_timedwait");
    struct timespec real = *deadline;
    real.tv_sec -= offset();
    return original(semaphore, &real);
}
