/* A disk for SQLite that forgets: what was written stays in memory until it is synced, and when the power
 * goes a random part of what was not synced is left, whole writes or single sectors of them, in any order.
 *
 * The disk is in memory, under names that no file system has, and is the default of every connection opened
 * while it is there. One process, one connection a file: there are no locks. Everything random comes from one
 * seed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Becomes the default; the disk is empty. */
void disk_install(uint64_t seed);
void disk_uninstall(void); /* connections must have been closed */

/* The process dies: what it wrote is there for the next one, but nothing more comes from its connections,
 * which fail from now on whatever they do. They must still be closed. */
void disk_kill(void);

/* The power goes: disk_kill(), and what was not synced is lost or not, as the seed will have it. */
void disk_cut(void);

typedef enum DiskFault {
    DISK_CUT,         /* disk_cut() in the middle of it */
    DISK_FULL,        /* a write finds no room, once */
    DISK_WRITE_FAILS, /* once */
    DISK_SYNC_FAILS,  /* once, and forgets what it should have synced: no later sync writes it any more */
} DiskFault;

/* The n-th operation from now (1: the next) that the fault can happen to. n of 0 takes a fault back. */
void disk_fail_at(DiskFault fault, unsigned n);
bool disk_fault_is_waiting(void);
bool disk_is_dead(void); /* since the last disk_start() */

/* The machine is up again. */
void disk_start(void);

/* A disk that says synced and did nothing: what no program can be safe on. */
void disk_ignore_syncs(bool does_ignore);

/* How often something was written since disk_install(). */
uint64_t disk_n_writes(void);
