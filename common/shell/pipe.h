/* Threads that read links. A thread has no loop: it blocks on its own connected SUB link and hands what it
 * makes of each frame to the main loop through a pipe (PUSH to PULL within the process). When the main loop
 * pauses the pipe, the threads stop, their links fill up and the writers at the far end stop: back-pressure
 * goes all the way through.
 *
 *     main:    pipe_open(); for each thread: thread_link_new(), pthread_create()
 *     thread:  while (thread_link_receive() > 0) thread_link_forward();
 *     main:    for each thread: thread_link_stop(), pthread_join(), thread_link_free(); link_free(pipe) */
#pragma once

#include "shell/link.h"

typedef struct ThreadLink ThreadLink;

/* The reading end, in the loop: a Link whose frames come to handlers->on_frame and which link_pause() pauses;
 * its link_endpoint() is ENDPOINT_COUNT. `name` is the process's own; about twice `high_water_mark` messages
 * stand between a thread and the loop. */
int pipe_open(Service *service, const char *name, int high_water_mark, const LinkHandlers *handlers,
              void *userdata, Link **ret, Problem *problem);

/* Connects `id` (a SUB link; `topics` as in link_connect_topics(), NULL is everything) and opens the writing
 * end of `pipe`. Called in the main thread; the thread it is handed to then is the only one to use it. */
int thread_link_new(Service *service, EndpointId id, const char *const *topics, const Link *pipe,
                    int pipe_high_water_mark, ThreadLink **ret, Problem *problem);

/* Called in the main thread when its thread has been joined. Accepts NULL. */
ThreadLink *thread_link_free(ThreadLink *link);
DEFINE_FREEP(ThreadLink, thread_link_free)

/* Blocks for the next frame: 1 (*ret is valid until the next call), 0 when asked to stop, negative errno.
 * Messages of several frames are refused here as on any link. */
int thread_link_receive(ThreadLink *link, LinkFrame *ret);

/* Hands one frame to the pipe, blocking while the main loop is behind. 0, -ECANCELED when asked to stop,
 * negative errno. */
int thread_link_forward(ThreadLink *link, const void *data, size_t size);

/* As link_refuse(), in the thread. */
void thread_link_refuse(ThreadLink *link, const LinkFrame *frame, Refusal refusal, const Problem *problem);

/* From any thread: both blocking calls return, now and from now on. */
void thread_link_stop(ThreadLink *link);
