/* A consistent copy of the running database, made a few pages at a time. What is committed meanwhile
 * through the same connection is in the copy too. The copy is one ordinary file that opens anywhere, also
 * read-only. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"

#include <sqlite3.h>

typedef struct Backup Backup;

/* Begins to copy `source`, the connection that writes, into DIRECTORY/NAME; the directory is made when it is
 * absent. While it runs the file is called NAME.partial. -EINVAL: the name is not one of letters, digits,
 * dot, dash and underscore that begins with no dot; -EEXIST: there is such a copy already; -errno of the file
 * system or db_error(). */
int backup_begin(sqlite3 *source, const char *directory, const char *name, Backup **ret, Problem *problem);

typedef enum BackupProgress { BACKUP_MORE, BACKUP_DONE } BackupProgress;

/* Copies up to n_pages. There must be no open transaction on the source. BackupProgress (DONE: the copy is on
 * the disk under its name), or db_error() of the copy, -EIO...: then free it. */
int backup_step(Backup *backup, int n_pages, Problem *problem);

int backup_pages_total(const Backup *backup);
int backup_pages_left(const Backup *backup);
const char *backup_path(const Backup *backup); /* DIRECTORY/NAME */

/* Before its source is closed. An unfinished copy is removed. */
Backup *backup_free(Backup *backup);
DEFINE_FREEP(Backup, backup_free)
