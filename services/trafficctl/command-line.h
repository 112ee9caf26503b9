/* From words to a Request: the same options on the command line and at the prompt. */
#pragma once

#include "verbs.h"

typedef struct CommandLine {
    Request request;
    const char *config_file;   /* NULL: the usual four places */
    const char *overrides[32]; /* --set SECTION.KEY=VALUE */
    size_t n_overrides;
    bool is_prompt, is_wrong; /* wrong: a value was refused, and told */
} CommandLine;

/* Takes `words` apart; strings are borrowed from it. `is_prompt`: errors return instead of ending the
 * process. 0 or -EINVAL (the message has been written). */
int command_line_parse(int n_words, char **words, bool is_prompt, CommandLine *ret);
