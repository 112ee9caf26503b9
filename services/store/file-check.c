/* One thread with a connection of its own, which only it uses until it has ended; what it found is published
 * by one atomic word, written last. */
#include "file-check.h"

#include "store/db.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { STEPS_BETWEEN_LOOKS = 10000 }; /* of SQLite's machine */

struct FileCheck {
    sqlite3 *db;
    pthread_t thread;
    bool has_thread;
    atomic_bool is_ending;
    Problem why; /* the thread's until there is a verdict */
    atomic_int verdict;
};

static int must_end(void *userdata) {
    return atomic_load(&((FileCheck *)userdata)->is_ending);
}

static void *thread_main(void *userdata) {
    FileCheck *check = userdata;
    const struct sched_param no_priority = {0};
    (void)sched_setscheduler(0, SCHED_BATCH,
                             &no_priority); /* the loop goes first; without it, it takes turns */
    int r = db_check(check->db, &db_traffic, &check->why);
    atomic_store(&check->verdict, r >= 0          ? FILE_CHECK_WHOLE
                                  : r == -EUCLEAN ? FILE_CHECK_DAMAGED
                                                  : FILE_CHECK_FAILED);
    return NULL;
}

int file_check_new(const char *path, FileCheck **ret, Problem *problem) {
    scoped(file_check_freep) FileCheck *check = calloc(1, sizeof *check);
    if (!check)
        return problem_set(problem, -ENOMEM, "out of memory");
    atomic_init(&check->verdict, FILE_CHECK_RUNS);
    int r = db_open_reader(path, &check->db, problem);
    if (r < 0)
        return r;
    sqlite3_progress_handler(check->db, STEPS_BETWEEN_LOOKS, must_end, check);
    int error = pthread_create(&check->thread, NULL, thread_main, check);
    if (error != 0)
        return problem_set(problem, -error, "no thread for the check of %s", path);
    check->has_thread = true;
    *ret = take(check);
    return 0;
}

/* The check of the pages is one step of SQLite's machine: only an interruption ends it, and that one counts
 * only for what runs just then. */
static void end_thread(FileCheck *check) {
    const struct timespec pause = {.tv_nsec = 1000000};
    atomic_store(&check->is_ending, true);
    while (atomic_load(&check->verdict) == FILE_CHECK_RUNS) {
        sqlite3_interrupt(check->db);
        nanosleep(&pause, NULL);
    }
    pthread_join(check->thread, NULL);
}

FileCheck *file_check_free(FileCheck *check) {
    if (!check)
        return NULL;
    if (check->has_thread)
        end_thread(check);
    db_close(check->db);
    free(check);
    return NULL;
}

FileCheckVerdict file_check_verdict(const FileCheck *check, Problem *ret_why) {
    FileCheckVerdict verdict = (FileCheckVerdict)atomic_load(&check->verdict);
    if (verdict == FILE_CHECK_DAMAGED || verdict == FILE_CHECK_FAILED)
        *ret_why = check->why;
    return verdict;
}
