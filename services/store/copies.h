/* Backups that were asked for over the query link: one at a time, made in turns, answered when they are on
 * the disk. */
#pragma once

#include "base/macro.h"
#include "database.h"
#include "replies.h"
#include "shell/service.h"
#include "turns.h"

#include <stdio.h>

typedef struct Copies Copies;

int copies_new(Service *service, StoreRole role, Turns *turns, Database *database, Replies *replies,
               Copies **ret);
Copies *copies_free(Copies *copies); /* before its database, turns and replies */
DEFINE_FREEP(Copies, copies_free)

/* Begins what `query`, a BACKUP, asks for; it is answered in any case. */
void copies_make(Copies *copies, const LinkRoute *route, const Query *query);

/* The database is about to close: who waits for a copy gets an ERROR with `why`. */
void copies_let_go(Copies *copies, const char *why);

/* null, or {file, pages_total, pages_left} of the copy under way. */
void copies_write_state(const Copies *copies, FILE *out);
