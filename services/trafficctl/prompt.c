/* libedit reads the line and splits it into words; everything else is what the command line does. A failed
 * verb is told and the prompt goes on: a locked prompt after one time-out was a fault of the first
 * implementation. */
#include "prompt.h"

#include "command-line.h"
#include "watch.h"

#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Prompt {
    EditLine *edit;
    History *history;
    Tokenizer *tokenizer;
    const City *city;
} Prompt;

static char *prompt_text(EditLine *edit) {
    (void)edit;
    static char text[] = "trafficctl> ";
    return text;
}

static size_t common_length(const char *a, const char *b) {
    size_t n = 0;
    while (a[n] && a[n] == b[n])
        n++;
    return n;
}

/* The longest common continuation of a word among the candidates offered. */
typedef struct Completion {
    const char *word;
    size_t size;
    char common[64];
    unsigned n_matches;
} Completion;

static void completion_offer(Completion *completion, const char *candidate) {
    if (strncmp(candidate, completion->word, completion->size) != 0)
        return;
    if (completion->n_matches++ == 0)
        (void)snprintf(completion->common, sizeof completion->common, "%s", candidate);
    else
        completion->common[common_length(completion->common, candidate)] = '\0';
}

/* Completes the first word to a verb, later ones to an intersection: as far as all candidates agree, and with
 * a space behind the only one. */
static unsigned char on_complete(EditLine *edit, int key) {
    (void)key;
    Prompt *prompt;
    const LineInfo *line = el_line(edit);
    const char *start = line->cursor;
    if (el_get(edit, EL_CLIENTDATA, &prompt) < 0)
        return CC_ERROR;
    while (start > line->buffer && start[-1] != ' ')
        start--;

    Completion completion = {.word = start, .size = (size_t)(line->cursor - start)};
    if (start == line->buffer)
        for (size_t i = 0; i < n_verbs; i++)
            completion_offer(&completion, verbs[i].name);
    else if (prompt->city)
        for (size_t i = 0; i < prompt->city->n_intersections; i++)
            completion_offer(&completion, prompt->city->intersections[i].id);

    if (completion.n_matches == 0)
        return CC_REFRESH_BEEP;
    if (el_insertstr(edit, completion.common + completion.size) < 0)
        return CC_ERROR;
    if (completion.n_matches == 1)
        (void)el_insertstr(edit, " ");
    return CC_REFRESH;
}

static void prompt_close(Prompt *prompt) {
    if (prompt->tokenizer)
        tok_end(prompt->tokenizer);
    if (prompt->edit)
        el_end(prompt->edit);
    if (prompt->history)
        history_end(prompt->history);
}

static bool prompt_open(Prompt *prompt) {
    HistEvent event;
    prompt->history = history_init();
    prompt->edit = el_init("trafficctl", stdin, stdout, stderr);
    prompt->tokenizer = tok_init(NULL);
    if (!prompt->history || !prompt->edit || !prompt->tokenizer)
        return false;
    history(prompt->history, &event, H_SETSIZE, 1000);
    el_set(prompt->edit, EL_SIGNAL, 1); /* whoever interrupts the prompt gets a usable terminal back */
    el_set(prompt->edit, EL_CLIENTDATA, prompt);
    el_set(prompt->edit, EL_PROMPT, prompt_text);
    el_set(prompt->edit, EL_EDITOR, "emacs");
    el_set(prompt->edit, EL_HIST, history, prompt->history);
    el_set(prompt->edit, EL_ADDFN, "complete", "complete a verb or an intersection", on_complete);
    el_set(prompt->edit, EL_BIND, "^I", "complete", NULL);
    el_set(prompt->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    return true;
}

static bool is_end(const char *word) {
    return strcmp(word, "quit") == 0 || strcmp(word, "exit") == 0;
}

/* One line: false when the operator is finished. */
static bool prompt_line(Prompt *prompt, Context *context, const char *text, ExitStatus *status) {
    enum { WORDS_MAX = 32 };
    const char **tokens;
    char *words[WORDS_MAX + 2] = {(char *)"trafficctl"};
    int n_tokens;
    CommandLine line;
    HistEvent event;

    tok_reset(prompt->tokenizer);
    if (tok_str(prompt->tokenizer, text, &n_tokens, &tokens) != 0) {
        fputs("trafficctl: a quote is not closed\n", stderr);
        return true;
    }
    if (n_tokens == 0)
        return true;
    history(prompt->history, &event, H_ENTER, text);
    if (is_end(tokens[0]))
        return false;
    if (n_tokens > WORDS_MAX) {
        fputs("trafficctl: too many words\n", stderr);
        return true;
    }
    if (strcmp(tokens[0], "help") == 0)
        words[1] = (char *)"--help";
    else
        memcpy(words + 1, tokens, (size_t)n_tokens * sizeof *words);
    if (command_line_parse(words[1] == tokens[0] ? n_tokens + 1 : 2, words, true, &line) == 0 &&
        line.request.verb) {
        context->request = &line.request;
        *status = watch_run(context, true);
    }
    return true;
}

ExitStatus prompt_run(Context *context, const City *city) {
    Prompt prompt = {.city = city};
    ExitStatus status = EXIT_OK;
    bool goes_on = prompt_open(&prompt);
    if (!goes_on)
        status = EXIT_FAILED;
    while (goes_on) {
        int n;
        const char *text = el_gets(prompt.edit, &n);
        goes_on = text && n > 0 && prompt_line(&prompt, context, text, &status);
    }
    prompt_close(&prompt);
    return status;
}
