/* Copying a file to another place, which may be another file system: a backup goes to a disk of its own. */
#pragma once

/* Copies `from` to `to`, readable by its owner alone, and makes it durable. Never overwrites; leaves nothing
 * behind when it fails. 0 or a negative errno. */
int copy_file(const char *from, const char *to);
