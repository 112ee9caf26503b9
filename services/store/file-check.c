/* The pace of a walk through the file, in one thread with a connection of its own, which only it uses until it has
 * ended; what it found is published by one atomic word, written last.
 *
 * Each piece of the walk is a short view of the file. One long view would keep the log from beginning anew, which
 * grows meanwhile by all that is committed. The price is what only a look at all pages at once finds: pages that
 * nothing uses, and used ones that count as free too (file-walk.h). */
#include "file-check.h"

#include "base/time.h"
#include "shell/service.h"
#include "store/db.h"
#include "store/file-walk.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* After a crash the other services are busiest just when this file is read: a backlog waits to be delivered. A low
 * priority would not leave them the processor, because each service has its share whatever its threads say of
 * themselves. So the check rests nine times as long as it worked: a tenth of a core at most. */
enum {
    PIECE_ROWS = 1000, /* some milliseconds: so long the log cannot begin anew, and so long ending takes */
    RESTS_PER_PIECE = 9,
};
/* A piece in which the process was stopped, or the machine asleep, lets nobody wait for hours. */
#define REST_MAX_USEC USEC_PER_SEC

struct FileCheck {
    sqlite3 *db;
    FileWalk *walk;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex;
    pthread_cond_t ending; /* on CLOCK_MONOTONIC */
    bool is_ending;        /* under the mutex */
    Problem why;           /* the thread's until there is a verdict */
    atomic_int verdict;
};

/* False: the check is to end. */
static bool rest(FileCheck *check, Mono begun) {
    Mono now = service_clock();
    uint64_t rest_usec = RESTS_PER_PIECE * mono_between(begun, now);
    Mono until = mono_after(now, rest_usec < REST_MAX_USEC ? rest_usec : REST_MAX_USEC);
    struct timespec deadline = {.tv_sec = (time_t)(until.usec / USEC_PER_SEC),
                                .tv_nsec = (long)(until.usec % USEC_PER_SEC * 1000)};
    int error = 0;
    pthread_mutex_lock(&check->mutex);
    while (!check->is_ending && error == 0)
        error = pthread_cond_timedwait(&check->ending, &check->mutex, &deadline);
    bool goes_on = !check->is_ending;
    pthread_mutex_unlock(&check->mutex);
    return goes_on;
}

static void *thread_main(void *userdata) {
    FileCheck *check = userdata;
    Mono begun;
    int r;
    do {
        begun = service_clock();
        r = file_walk_step(check->walk, PIECE_ROWS, &check->why);
    } while (r == WALK_MORE && rest(check, begun));
    atomic_store(&check->verdict, r == WALK_MORE   ? FILE_CHECK_RUNS
                                  : r == WALK_DONE ? FILE_CHECK_WHOLE
                                  : r == -EUCLEAN  ? FILE_CHECK_DAMAGED
                                                   : FILE_CHECK_FAILED);
    return NULL;
}

static void make_signal(FileCheck *check) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&check->ending, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&check->mutex, NULL);
}

int file_check_new(const char *path, FileCheck **ret, Problem *problem) {
    FileCheck *made = calloc(1, sizeof *made);
    if (!made)
        return problem_set(problem, -ENOMEM, "out of memory");
    make_signal(made);
    scoped(file_check_freep) FileCheck *check = made;
    atomic_init(&check->verdict, FILE_CHECK_RUNS);
    int r = db_open_reader(path, &check->db, problem);
    if (r >= 0)
        r = file_walk_new(check->db, &check->walk, problem);
    if (r < 0)
        return r;
    int error = pthread_create(&check->thread, NULL, thread_main, check);
    if (error != 0)
        return problem_set(problem, -error, "no thread for the check of %s", path);
    check->has_thread = true;
    *ret = take(check);
    return 0;
}

static void end_thread(FileCheck *check) {
    pthread_mutex_lock(&check->mutex);
    check->is_ending = true;
    pthread_cond_signal(&check->ending);
    pthread_mutex_unlock(&check->mutex);
    pthread_join(check->thread, NULL);
}

FileCheck *file_check_free(FileCheck *check) {
    if (!check)
        return NULL;
    if (check->has_thread)
        end_thread(check);
    file_walk_free(check->walk);
    db_close(check->db);
    pthread_cond_destroy(&check->ending);
    pthread_mutex_destroy(&check->mutex);
    free(check);
    return NULL;
}

FileCheckVerdict file_check_verdict(const FileCheck *check, Problem *ret_why) {
    FileCheckVerdict verdict = (FileCheckVerdict)atomic_load(&check->verdict);
    if (verdict == FILE_CHECK_DAMAGED || verdict == FILE_CHECK_FAILED)
        *ret_why = check->why;
    return verdict;
}
