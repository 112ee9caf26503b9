/* Questions to the stores, under way: which client asked, which store was asked, until when. A question is
 * asked of the store that answers now; when that one is silent, cannot be reached or dies meanwhile, of the
 * other; and its answer, or the news that there is none, comes back exactly once, within ANSWER_WITHIN_USEC.
 *
 * Knows nothing of what is asked. Nothing here waits: the loop goes on. */
#pragma once

#include "base/problem.h"
#include "base/time.h"
#include "shell/link.h"
#include "shell/service.h"
#include "watch-stores.h"
#include "wire/messages.h"

enum {
    QUESTIONS_MAX = 512,                  /* under way at once; more are turned away */
    ANSWER_WITHIN_USEC = 9 * 1000 * 1000, /* clients of the first implementation are lost after 10 s */
};

typedef struct Questions Questions;

/* Who wants to know what. */
typedef struct Question {
    LinkRoute asker;
    Query query; /* with the asker's query_id, if it has one */
} Question;

/* What became of a question. `reply` is NULL when no store answered, else valid during the call; `store` is
 * who answered, or who was asked last. */
typedef void (*AnswerFn)(const Question *question, const Reply *reply, StoreRole store, void *userdata);

int questions_new(Service *service, const WatchStores *watch, AnswerFn on_answer, void *userdata,
                  Questions **ret, Problem *problem);
Questions *questions_free(Questions *questions);
DEFINE_FREEP(Questions, questions_free)

/* 0: on_answer follows, not from within this call. -EHOSTUNREACH: no store lives or can be reached. -EBUSY:
 * QUESTIONS_MAX are under way. */
int questions_ask(Questions *questions, const Question *question);

/* A store died: what it was asked is asked of the other one. */
void questions_store_died(Questions *questions, StoreRole role);
