/* The rows first: how many there are and up to which id is what the indexes are compared with. */
#include "store/file-walk.h"

#include "store/index-walk.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct FileWalk {
    RowWalk *rows;
    IndexWalk *indexes;
    bool has_rows_behind_it;
};

int file_walk_new(sqlite3 *db, FileWalk **ret, Problem *problem) {
    scoped(file_walk_freep) FileWalk *walk = calloc(1, sizeof *walk);
    if (!walk)
        return problem_set(problem, -ENOMEM, "out of memory");
    int r = row_walk_new(db, &walk->rows, problem);
    if (r >= 0)
        r = index_walk_new(db, walk->rows, &walk->indexes, problem);
    if (r >= 0)
        *ret = take(walk);
    return r;
}

FileWalk *file_walk_free(FileWalk *walk) {
    if (!walk)
        return NULL;
    index_walk_free(walk->indexes);
    row_walk_free(walk->rows);
    free(walk);
    return NULL;
}

int file_walk_step(FileWalk *walk, int n_max, Problem *problem) {
    if (walk->has_rows_behind_it)
        return index_walk_step(walk->indexes, n_max, problem);
    int r = row_walk_step(walk->rows, n_max, problem);
    walk->has_rows_behind_it = r == WALK_DONE;
    return r < 0 ? r : WALK_MORE;
}
