/* Names point to files twice: as the process sees it now, and as the disk has it. A file has its bytes twice
 * as well, and between the two a list of what was written since the last sync. */
#include "power-cut-vfs.h"

#include "core/random.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 32, NAME_SIZE = 128, SECTOR = 512, SHM_REGIONS_MAX = 64 };

typedef struct Bytes {
    char *data;
    size_t size, capacity;
} Bytes;

/* A write, or with data == NULL a truncation to `offset`. */
typedef struct Change {
    struct Change *next;
    size_t offset, size;
    char *data;
} Change;

typedef struct Inode {
    struct Inode *next;
    Bytes now, durable;
    Change *changes, **changes_end;
    void *shm[SHM_REGIONS_MAX];
} Inode;

typedef struct Name {
    char name[NAME_SIZE];
    Inode *now, *durable; /* NULL: there is no such file */
} Name;

static struct Disk {
    Random random;
    Inode *inodes;
    Name names[NAMES_MAX];
    uint64_t life; /* handles of an earlier one are dead */
    bool is_dead, ignores_syncs;
    DiskFault fault;
    unsigned fault_in;
    uint64_t n_writes;
    sqlite3_vfs vfs, *real;
} disk;

typedef struct Handle {
    sqlite3_file base;
    Inode *inode;
    Name *name;
    uint64_t life;
    bool syncs_names; /* with its next sync */
} Handle;

static void *must(void *memory) {
    if (!memory)
        abort();
    return memory;
}

/* --- bytes --- */

static void bytes_resize(Bytes *bytes, size_t size) {
    if (size > bytes->capacity) {
        bytes->capacity = size * 2;
        bytes->data = must(realloc(bytes->data, bytes->capacity));
    }
    if (size > bytes->size)
        memset(bytes->data + bytes->size, 0, size - bytes->size);
    bytes->size = size;
}

static void bytes_write(Bytes *bytes, size_t offset, const char *data, size_t size) {
    if (offset + size > bytes->size)
        bytes_resize(bytes, offset + size);
    memcpy(bytes->data + offset, data, size);
}

static void bytes_copy(Bytes *to, const Bytes *from) {
    bytes_resize(to, from->size);
    if (from->size > 0)
        memcpy(to->data, from->data, from->size);
}

/* --- changes --- */

static void forget_changes(Inode *inode) {
    while (inode->changes) {
        Change *next = inode->changes->next;
        free(inode->changes->data);
        free(inode->changes);
        inode->changes = next;
    }
    inode->changes_end = &inode->changes;
}

static void apply(Bytes *bytes, const Change *change) {
    if (change->data)
        bytes_write(bytes, change->offset, change->data, change->size);
    else
        bytes_resize(bytes, change->offset);
}

/* Some of its sectors; they lie where the disk has them, not where the write begins. */
static void apply_torn(Bytes *bytes, const Change *change) {
    for (size_t at = 0; at < change->size;) {
        size_t n = SECTOR - (change->offset + at) % SECTOR;
        if (n > change->size - at)
            n = change->size - at;
        if (random_below(&disk.random, 2))
            bytes_write(bytes, change->offset + at, change->data + at, n);
        at += n;
    }
}

static void change(Inode *inode, size_t offset, const char *data, size_t size) {
    Change *added = must(calloc(1, sizeof *added));
    *added = (Change){.offset = offset, .size = size};
    if (data)
        added->data = memcpy(must(malloc(size + 1)), data, size);
    *inode->changes_end = added;
    inode->changes_end = &added->next;
    apply(&inode->now, added);
    disk.n_writes++;
}

static void make_durable(Inode *inode) {
    for (const Change *c = inode->changes; c; c = c->next)
        apply(&inode->durable, c);
    forget_changes(inode);
}

/* All, nothing, or some of what was not synced. */
static void lose(Inode *inode) {
    uint64_t kind = random_below(&disk.random, 4);
    for (const Change *c = inode->changes; c; c = c->next) {
        uint64_t fate = kind == 0 ? 0 : kind == 1 ? 1 : random_below(&disk.random, 3);
        if (fate == 1)
            apply(&inode->durable, c);
        else if (fate == 2 && c->data)
            apply_torn(&inode->durable, c);
    }
    forget_changes(inode);
    bytes_copy(&inode->now, &inode->durable);
}

/* --- files --- */

static Inode *inode_new(void) {
    Inode *inode = must(calloc(1, sizeof *inode));
    inode->changes_end = &inode->changes;
    inode->next = disk.inodes;
    disk.inodes = inode;
    return inode;
}

static void forget_shm(Inode *inode) {
    for (size_t i = 0; i < SHM_REGIONS_MAX; i++) {
        free(inode->shm[i]);
        inode->shm[i] = NULL;
    }
}

static bool has_name(const Inode *inode) {
    for (size_t i = 0; i < NAMES_MAX; i++)
        if (disk.names[i].now == inode || disk.names[i].durable == inode)
            return true;
    return false;
}

static void free_nameless(void) {
    for (Inode **at = &disk.inodes; *at;) {
        Inode *inode = *at;
        if (has_name(inode)) {
            at = &inode->next;
            continue;
        }
        *at = inode->next;
        forget_changes(inode);
        forget_shm(inode);
        free(inode->now.data);
        free(inode->durable.data);
        free(inode);
    }
}

static Name *find_name(const char *name, bool makes_it) {
    for (size_t i = 0; i < NAMES_MAX; i++) {
        Name *entry = &disk.names[i];
        if (entry->name[0] == '\0' && makes_it)
            (void)snprintf(entry->name, NAME_SIZE, "%s", name);
        if (strcmp(entry->name, name) == 0)
            return entry;
    }
    return NULL;
}

/* --- faults --- */

void disk_kill(void) {
    disk.life++;
    disk.is_dead = true;
    disk.fault_in = 0;
    for (Inode *inode = disk.inodes; inode; inode = inode->next)
        forget_shm(inode);
}

void disk_cut(void) {
    disk_kill();
    for (Inode *inode = disk.inodes; inode; inode = inode->next)
        lose(inode);
    for (size_t i = 0; i < NAMES_MAX; i++) {
        Name *name = &disk.names[i];
        if (name->now != name->durable && random_below(&disk.random, 2))
            name->durable = name->now;
        name->now = name->durable;
    }
    free_nameless();
}

void disk_fail_at(DiskFault fault, unsigned n) {
    disk.fault = fault;
    disk.fault_in = n;
}

bool disk_fault_is_waiting(void) {
    return disk.fault_in > 0;
}

bool disk_is_dead(void) {
    return disk.is_dead;
}

void disk_start(void) {
    disk.is_dead = false;
}

void disk_ignore_syncs(bool does_ignore) {
    disk.ignores_syncs = does_ignore;
}

uint64_t disk_n_writes(void) {
    return disk.n_writes;
}

static void sync_names(void) {
    for (size_t i = 0; i < NAMES_MAX; i++)
        disk.names[i].durable = disk.names[i].now;
}

/* Whether the fault that waits happens now. */
static bool strikes(DiskFault fault) {
    return disk.fault == fault && disk.fault_in > 0 && --disk.fault_in == 0;
}

static bool is_alive(const Handle *handle) {
    return handle->life == disk.life && !disk.is_dead;
}

/* --- what SQLite calls --- */

static int on_read(sqlite3_file *file, void *to, int size, sqlite3_int64 offset) {
    Handle *handle = (Handle *)file;
    if (!is_alive(handle))
        return SQLITE_IOERR_READ;
    const Bytes *bytes = &handle->inode->now;
    size_t at = (size_t)offset, wanted = (size_t)size;
    size_t there = at >= bytes->size ? 0 : bytes->size - at < wanted ? bytes->size - at : wanted;
    if (there > 0)
        memcpy(to, bytes->data + at, there);
    memset((char *)to + there, 0, wanted - there);
    return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int on_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset) {
    Handle *handle = (Handle *)file;
    if (!is_alive(handle))
        return SQLITE_IOERR_WRITE;
    if (strikes(DISK_FULL))
        return SQLITE_FULL;
    if (strikes(DISK_WRITE_FAILS))
        return SQLITE_IOERR_WRITE;
    change(handle->inode, (size_t)offset, data, (size_t)size);
    if (strikes(DISK_CUT))
        disk_cut();
    return disk.is_dead ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size) {
    Handle *handle = (Handle *)file;
    if (!is_alive(handle))
        return SQLITE_IOERR_TRUNCATE;
    change(handle->inode, (size_t)size, NULL, 0);
    if (strikes(DISK_CUT))
        disk_cut();
    return disk.is_dead ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int on_sync(sqlite3_file *file, int flags) {
    Handle *handle = (Handle *)file;
    (void)flags;
    if (!is_alive(handle))
        return SQLITE_IOERR_FSYNC;
    if (strikes(DISK_CUT)) {
        disk_cut();
        return SQLITE_IOERR_FSYNC;
    }
    if (strikes(DISK_SYNC_FAILS)) {
        forget_changes(handle->inode);
        return SQLITE_IOERR_FSYNC;
    }
    if (disk.ignores_syncs)
        return SQLITE_OK;
    make_durable(handle->inode);
    if (handle->syncs_names)
        sync_names();
    handle->syncs_names = false;
    return SQLITE_OK;
}

static int on_size(sqlite3_file *file, sqlite3_int64 *ret) {
    Handle *handle = (Handle *)file;
    if (!is_alive(handle))
        return SQLITE_IOERR_FSTAT;
    *ret = (sqlite3_int64)handle->inode->now.size;
    return SQLITE_OK;
}

static int on_close(sqlite3_file *file) {
    (void)file;
    return SQLITE_OK;
}

static int on_lock(sqlite3_file *file, int lock) {
    (void)lock;
    return is_alive((Handle *)file) ? SQLITE_OK : SQLITE_IOERR_LOCK;
}

static int on_check_lock(sqlite3_file *file, int *ret) {
    (void)file;
    *ret = 0;
    return SQLITE_OK;
}

static int on_control(sqlite3_file *file, int operation, void *argument) {
    (void)file, (void)operation, (void)argument;
    return SQLITE_NOTFOUND;
}

static int on_sector_size(sqlite3_file *file) {
    (void)file;
    return SECTOR;
}

/* As on Linux: writing does not damage the bytes beside it. */
static int on_characteristics(sqlite3_file *file) {
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int on_shm_map(sqlite3_file *file, int region, int size, int extends, void volatile **ret) {
    Handle *handle = (Handle *)file;
    if (!is_alive(handle) || region >= SHM_REGIONS_MAX)
        return SQLITE_IOERR_SHMMAP;
    void **memory = &handle->inode->shm[region];
    if (!*memory && extends)
        *memory = must(calloc(1, (size_t)size));
    *ret = *memory;
    return SQLITE_OK;
}

static int on_shm_lock(sqlite3_file *file, int offset, int n, int flags) {
    (void)offset, (void)n, (void)flags;
    return is_alive((Handle *)file) ? SQLITE_OK : SQLITE_IOERR_SHMLOCK;
}

static void on_shm_barrier(sqlite3_file *file) {
    (void)file;
}

/* The last one to leave takes the index of the log with it: whoever comes next reads the log itself. */
static int on_shm_unmap(sqlite3_file *file, int deletes) {
    Handle *handle = (Handle *)file;
    (void)deletes;
    if (is_alive(handle))
        forget_shm(handle->inode);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_size,
    .xLock = on_lock,
    .xUnlock = on_lock,
    .xCheckReservedLock = on_check_lock,
    .xFileControl = on_control,
    .xSectorSize = on_sector_size,
    .xDeviceCharacteristics = on_characteristics,
    .xShmMap = on_shm_map,
    .xShmLock = on_shm_lock,
    .xShmBarrier = on_shm_barrier,
    .xShmUnmap = on_shm_unmap,
};

/* The first sync of a log or journal takes the directory with it, as SQLite does it on Linux; that of a
 * database does not. */
static int on_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret_flags) {
    Handle *handle = (Handle *)file;
    (void)vfs;
    Name *name = disk.is_dead || !path ? NULL : find_name(path, flags & SQLITE_OPEN_CREATE);
    *handle = (Handle){.life = disk.life, .name = name};
    if (!name || (!name->now && !(flags & SQLITE_OPEN_CREATE)))
        return SQLITE_CANTOPEN;
    if (!name->now)
        name->now = inode_new();
    handle->syncs_names = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL);
    handle->inode = name->now;
    handle->base.pMethods = &methods;
    if (ret_flags)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int on_delete(sqlite3_vfs *vfs, const char *path, int syncs_directory) {
    (void)vfs;
    Name *name = disk.is_dead ? NULL : find_name(path, false);
    if (!name || !name->now)
        return disk.is_dead ? SQLITE_IOERR_DELETE : SQLITE_IOERR_DELETE_NOENT;
    name->now = NULL;
    if (strikes(DISK_CUT)) {
        disk_cut();
        return SQLITE_IOERR_DELETE;
    }
    if (syncs_directory && !disk.ignores_syncs)
        sync_names();
    return SQLITE_OK;
}

static int on_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret) {
    (void)vfs, (void)flags;
    const Name *name = find_name(path, false);
    *ret = name && name->now;
    return SQLITE_OK;
}

static int on_full_pathname(sqlite3_vfs *vfs, const char *path, int size, char *ret) {
    (void)vfs;
    (void)snprintf(ret, (size_t)size, "%s", path);
    return SQLITE_OK;
}

static int on_randomness(sqlite3_vfs *vfs, int size, char *ret) {
    (void)vfs;
    for (int i = 0; i < size; i++)
        ret[i] = (char)random_next(&disk.random);
    return size;
}

static int on_sleep(sqlite3_vfs *vfs, int usec) {
    (void)vfs;
    return usec;
}

static int on_time(sqlite3_vfs *vfs, double *ret) {
    (void)vfs;
    return disk.real->xCurrentTime(disk.real, ret);
}

/* --- being there --- */

void disk_install(uint64_t seed) {
    (void)sqlite3_initialize();
    disk = (struct Disk){.random = random_seeded(seed, 0xD15C), .real = sqlite3_vfs_find("unix")};
    disk.vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = sizeof(Handle),
        .mxPathname = NAME_SIZE - 1,
        .zName = "power-cut",
        .xOpen = on_open,
        .xDelete = on_delete,
        .xAccess = on_access,
        .xFullPathname = on_full_pathname,
        .xRandomness = on_randomness,
        .xSleep = on_sleep,
        .xCurrentTime = on_time,
    };
    if (sqlite3_vfs_register(&disk.vfs, 1) != SQLITE_OK)
        abort();
}

void disk_uninstall(void) {
    (void)sqlite3_vfs_unregister(&disk.vfs);
    (void)sqlite3_vfs_register(disk.real, 1);
    for (size_t i = 0; i < NAMES_MAX; i++)
        disk.names[i] = (Name){.name = ""};
    free_nameless();
}
