/* Saying yes and no: the head of a reply, written the same way by everybody. */
#pragma once

#include "base/macro.h"
#include "wire/messages.h"

void reply_ok(Reply *reply, const char *format, ...) printf_like(2, 3);
void reply_error(Reply *reply, ReplyCause cause, const char *format, ...) printf_like(3, 4);
