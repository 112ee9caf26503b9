/* Asking the city: one question, one answer, within a time limit. Analytics (5561) is asked first; when it is
 * silent the stores are asked themselves, primary then replica, for what they can answer from their files. */
#pragma once

#include "base/macro.h"
#include "base/problem.h"
#include "settings/settings.h"
#include "wire/endpoints.h"
#include "wire/messages.h"

#include <json-c/json.h>
#include <stdbool.h>

typedef struct Client Client;

/* What came back. `whole` is the reply as JSON (owned by the answer), `data` its data member (borrowed, NULL
 * when null). */
typedef struct Answer {
    struct json_object *whole;
    struct json_object *data;
    ReplyStatus status;
    bool has_cause;
    ReplyCause cause;
    bool is_degraded; /* the replica answered, or analytics did not */
    EndpointId asked; /* whose answer it is */
    char message[512];
} Answer;

/* `host`, when not NULL, is asked instead of the machines of the settings. `settings` stays the caller's and
 * must outlive it. */
int client_new(const Settings *settings, const char *host, double timeout_sec, Client **ret,
               Problem *problem);
Client *client_free(Client *client);
DEFINE_FREEP(Client, client_free)

/* 0: there is an answer, also when its status is ERROR. -ETIMEDOUT: nobody answered; `problem` says who was
 * asked. */
int client_ask(Client *client, const Query *query, Answer *ret, Problem *problem);

/* The same, to one endpoint only and with a time limit of its own. */
int client_ask_at(Client *client, EndpointId endpoint, const Query *query, double timeout_sec, Answer *ret,
                  Problem *problem);

void answer_clear(Answer *answer);
