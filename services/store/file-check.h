/* Reads a whole database file and says whether it is what was written, while the store is at work.
 *
 * A store that read a file of gigabytes before it is ready would be away for a minute after each kill. So only
 * a small file is read by db_open(); of a larger one this is the check, in pieces with rests between them. What
 * is written meanwhile it neither sees nor delays. Nothing may be deleted while it runs. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"

typedef struct FileCheck FileCheck;

typedef enum FileCheckVerdict {
    FILE_CHECK_RUNS,
    FILE_CHECK_WHOLE,
    FILE_CHECK_DAMAGED,
    FILE_CHECK_FAILED, /* nobody knows: it could not be read */
} FileCheckVerdict;

/* The file is one that db_open() has opened in this process. */
int file_check_new(const char *path, FileCheck **ret, Problem *problem);
FileCheck *file_check_free(FileCheck *check); /* one that runs ends with its piece: milliseconds */
DEFINE_FREEP(FileCheck, file_check_free)

/* `ret_why` is set when it is damaged or could not be read. */
FileCheckVerdict file_check_verdict(const FileCheck *check, Problem *ret_why);
