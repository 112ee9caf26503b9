/* Replies on a store's query link: the grammar of the Queries table, and which store it was. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "base/vocabulary.h"
#include "shell/link.h"
#include "shell/service.h"
#include "wire/messages.h"

typedef struct Replies Replies;

/* `link`, a ROUTER, is the caller's and may be told later with replies_set_link(). */
int replies_new(Service *service, StoreRole role, Replies **ret);
Replies *replies_free(Replies *replies);
DEFINE_FREEP(Replies, replies_free)
void replies_set_link(Replies *replies, Link *link);

/* OK with `data` (text NULL: null). `message` NULL: which store answered. `query` gives command and query_id
 * back. A peer that has left gets nothing and that is no error. */
void reply_ok(Replies *replies, const LinkRoute *route, const Query *query, const char *message,
              JsonText data);

/* ERROR; `query` NULL when there was none that could be read. */
void reply_error(Replies *replies, const LinkRoute *route, const Query *query, ReplyCause cause,
                 const char *why);

/* The same for a function that failed with `error` and `problem`: the cause follows from the errno. */
void reply_problem(Replies *replies, const LinkRoute *route, const Query *query, int error,
                   const Problem *problem);
