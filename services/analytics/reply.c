/* The head of a reply. */
#include "reply.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

printf_like(3, 0) static void say(Reply *reply, ReplyStatus status, const char *format, va_list arguments) {
    message_set(reply, Reply, status, status);
    (void)vsnprintf(reply->message, sizeof reply->message, format, arguments);
    /* What did not fit may have been cut in the middle of a character. */
    reply->message[utf8_valid_size(reply->message, strlen(reply->message))] = '\0';
    message_mark(reply, Reply, message);
}

void reply_ok(Reply *reply, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(reply, REPLY_OK, format, arguments);
    va_end(arguments);
}

void reply_error(Reply *reply, ReplyCause cause, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(reply, REPLY_ERROR, format, arguments);
    va_end(arguments);
    message_set(reply, Reply, cause, cause);
}
