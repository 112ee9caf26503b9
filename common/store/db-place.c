/* By device and inode, as SQLite itself tells files apart. */
#include "store/db-place.h"

#include "store/db.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static const char *const suffixes[DB_PLACE_FILES] = {"", "-wal", "-shm"};
enum { CHECKED_FILES = 2 }; /* what the shared memory holds is made again from the log */

static bool find_same(const char *name, const DbPlace *place, size_t i, struct stat *ret) {
    return stat(name, ret) == 0 && ret->st_ino == place->files[i].node &&
           ret->st_dev == place->files[i].device;
}

static bool is_same(const char *name, const DbPlace *place, size_t i) {
    struct stat ignored;
    return find_same(name, place, i, &ignored);
}

int db_place_note(const char *path, DbPlace *ret, Problem *problem) {
    DbPlace place = {0};
    char name[PATH_MAX];
    for (size_t i = 0; i < DB_PLACE_FILES; i++) {
        struct stat now;
        int r = db_name_beside(path, suffixes[i], name, problem);
        if (r < 0)
            return r;
        if (stat(name, &now) < 0)
            return problem_set(problem, -errno, "%s: expected a file that was just opened: %m", name);
        place.files[i].device = now.st_dev;
        place.files[i].node = now.st_ino;
        if (i == 0)
            place.size = now.st_size;
    }
    *ret = place;
    return 0;
}

bool db_place_is_same_file(const DbPlace *a, const DbPlace *b) {
    return a->files[0].node == b->files[0].node && a->files[0].device == b->files[0].device;
}

bool db_place_holds(const char *path, DbPlace *place, Problem *problem) {
    char name[PATH_MAX];
    struct stat now;
    for (size_t i = 0; i < CHECKED_FILES; i++) {
        if (db_name_beside(path, suffixes[i], name, problem) < 0)
            return false;
        if (!find_same(name, place, i, &now)) {
            problem_set(problem, -EUCLEAN, "%s was deleted, renamed or replaced while it was open", name);
            return false;
        }
        if (i == 0 && now.st_size < place->size) {
            problem_set(problem, -EUCLEAN, "%s was cut short while it was open, from %lld bytes to %lld",
                        name, (long long)place->size, (long long)now.st_size);
            return false;
        }
        if (i == 0)
            place->size = now.st_size;
    }
    return true;
}

int db_place_leave(const char *path, const DbPlace *place, Wall now, char *ret_name, size_t ret_size,
                   Problem *problem) {
    char from[PATH_MAX], to[PATH_MAX];
    ret_name[0] = '\0';
    if (is_same(path, place, 0))
        return 0;
    for (size_t i = 1; i < DB_PLACE_FILES; i++) {
        int r = db_name_beside(path, suffixes[i], from, problem);
        if (r >= 0)
            r = db_name_aside(path, suffixes[i], now, to, problem);
        if (r < 0)
            return r;
        if (!is_same(from, place, i))
            continue;
        if (rename(from, to) < 0)
            return problem_set(problem, -errno, "%s: cannot be moved to %s: %m", from, to);
        (void)snprintf(ret_name, ret_size, "%s", to);
    }
    return 0;
}
