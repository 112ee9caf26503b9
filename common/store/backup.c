/* SQLite's backup API between two connections of this process. It copies pages as they are, so the copy says
 * of itself that it uses a write-ahead log; that is changed back at the end, or it could not be opened from a
 * read-only place. */
#include "store/backup.h"

#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTIAL_SUFFIX ".partial"

struct Backup {
    sqlite3 *copy;
    sqlite3_backup *backup;
    char directory[PATH_MAX];
    char path[PATH_MAX];
    char partial[PATH_MAX];
    int pages_total, pages_left;
    bool has_partial;
};

static bool is_plain_name(const char *name) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return name[0] != '\0' && name[0] != '.' && name[strspn(name, allowed)] == '\0';
}

static int set_paths(Backup *backup, const char *directory, const char *name, Problem *problem) {
    int n = snprintf(backup->path, sizeof backup->path, "%s/%s", directory, name);
    int m = snprintf(backup->partial, sizeof backup->partial, "%s/%s" PARTIAL_SUFFIX, directory, name);
    if (n >= (int)sizeof backup->path || m >= (int)sizeof backup->partial)
        return problem_set(problem, -ENAMETOOLONG, "%s/%s: name too long", directory, name);
    (void)snprintf(backup->directory, sizeof backup->directory, "%s", directory);
    if (mkdir(directory, 0750) < 0 && errno != EEXIST)
        return problem_set(problem, -errno, "%s: cannot be made: %m", directory);
    if (access(backup->path, F_OK) == 0)
        return problem_set(problem, -EEXIST, "%s exists already: choose another name", backup->path);
    return 0;
}

static int open_copy(Backup *backup, sqlite3 *source, Problem *problem) {
    (void)unlink(backup->partial); /* of a copy that a crash interrupted */
    backup->has_partial = true;
    int rc = sqlite3_open_v2(
        backup->partial, &backup->copy,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK)
        return db_error(backup->copy, backup->partial, problem);
    backup->backup = sqlite3_backup_init(backup->copy, "main", source, "main");
    return backup->backup ? 0 : db_error(backup->copy, backup->partial, problem);
}

int backup_begin(sqlite3 *source, const char *directory, const char *name, Backup **ret, Problem *problem) {
    if (!is_plain_name(name))
        return problem_set(
            problem, -EINVAL,
            "file: expected a name of letters, digits, '.', '-' and '_' without a directory, got \"%s\"",
            name);
    scoped(backup_freep) Backup *backup = calloc(1, sizeof *backup);
    if (!backup)
        return problem_set(problem, -ENOMEM, "out of memory");
    int r = set_paths(backup, directory, name, problem);
    if (r >= 0)
        r = open_copy(backup, source, problem);
    if (r >= 0)
        *ret = take(backup);
    return r;
}

/* The name must survive a power cut as well as the bytes. */
static int publish(Backup *backup, Problem *problem) {
    if (rename(backup->partial, backup->path) < 0)
        return problem_set(problem, -errno, "%s: cannot be renamed: %m", backup->partial);
    backup->has_partial = false;
    int fd = open(backup->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return r < 0 ? problem_set(problem, r, "%s: %m", backup->directory) : 0;
}

static int finish(Backup *backup, Problem *problem) {
    int rc = sqlite3_backup_finish(backup->backup);
    backup->backup = NULL;
    if (rc != SQLITE_OK)
        return db_error(backup->copy, backup->partial, problem);
    int r = db_run(backup->copy, "PRAGMA journal_mode = DELETE", problem);
    backup->copy = db_close(backup->copy);
    if (r >= 0)
        r = publish(backup, problem);
    return r < 0 ? r : BACKUP_DONE;
}

int backup_step(Backup *backup, int n_pages, Problem *problem) {
    int rc = sqlite3_backup_step(backup->backup, n_pages);
    backup->pages_left = sqlite3_backup_remaining(backup->backup);
    backup->pages_total = sqlite3_backup_pagecount(backup->backup);
    if (rc == SQLITE_DONE)
        return finish(backup, problem);
    if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
        return BACKUP_MORE;
    sqlite3_backup_finish(backup->backup); /* puts the error where db_error() finds it */
    backup->backup = NULL;
    return db_error(backup->copy, backup->partial, problem);
}

int backup_pages_total(const Backup *backup) {
    return backup->pages_total;
}

int backup_pages_left(const Backup *backup) {
    return backup->pages_left;
}

const char *backup_path(const Backup *backup) {
    return backup->path;
}

Backup *backup_free(Backup *backup) {
    if (!backup)
        return NULL;
    if (backup->backup)
        sqlite3_backup_finish(backup->backup);
    db_close(backup->copy);
    if (backup->has_partial)
        (void)unlink(backup->partial);
    free(backup);
    return NULL;
}
