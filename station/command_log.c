#include "station/command_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jigs/jig.h"
#include "reports/log_reader.h"
#include "station/data_paths.h"
#include "station/saved_eeprom.h"

enum log_action { LOG_LIST, LOG_SHOW, LOG_EVENTS, LOG_VERIFY, LOG_EEPROM, LOG_SETTLE };

struct config {
    enum log_action action;
    int64_t attempt; /* 0: the last one */
    const char *log;
    const char *output;
    const char *head;
    struct log_list_options list;
};

static int take_site(void *context, const char *argument, struct failure *failure)
{
    struct config *config = context;
    int64_t number = 0;
    if (command_number("--site", argument, 1, JIG_SITES_MAX, &number, failure) != 0)
        return -1;
    config->list.site = (int)number;
    return 0;
}

static int take_last(void *context, const char *argument, struct failure *failure)
{
    struct config *config = context;
    return command_number("--last", argument, 1, INT64_MAX, &config->list.last, failure);
}

static int take_head(void *context, const char *argument, struct failure *failure)
{
    struct config *config = context;
    if (strlen(argument) != DIGEST_TEXT_BYTES - 1 ||
        strspn(argument, "0123456789abcdef") != DIGEST_TEXT_BYTES - 1)
        return failure_set(failure, FAILURE_USAGE,
                           "--head: found '%.80s', expected the 64 digits that log verify prints",
                           argument);
    config->head = argument;
    return 0;
}

static const struct command_option options[] = {
    {"log", "FILE", COMMAND_LOG_HELP, COMMAND_KEEP(struct config, log)},
    {"lot", "ID", "list: only attempts of this lot", COMMAND_KEEP(struct config, list.lot)},
    {"verdict", "NAME",
     "list: only pass, fail, refused, unverified,\n"
     "empty, interrupted or open",
     COMMAND_KEEP(struct config, list.verdict)},
    {"site", "N", "list: only this site", .take = take_site},
    {"last", "N", "list, events: only the last N", .take = take_last},
    {"output", "FILE", "eeprom: write a new file, instead of printing",
     COMMAND_KEEP(struct config, output), .letter = 'o'},
    {"head", "HASH",
     "verify: this head, noted earlier, is to be\n"
     "among the rows",
     .take = take_head},
    {"json", NULL, "print JSON objects, one per line", COMMAND_KEEP(struct config, list.json)},
    COMMAND_OPTION_HELP,
    {0},
};

static int take_attempt(struct config *config, int count, char **operands, struct failure *failure)
{
    bool of_eeprom = config->action == LOG_EEPROM || config->action == LOG_SETTLE;
    bool takes = of_eeprom || config->action == LOG_SHOW;
    char name[32];
    if (of_eeprom && count == 1)
        return failure_set(failure, FAILURE_USAGE, "log %s: say which attempt", operands[0]);
    if (count > (takes ? 2 : 1))
        return failure_set(failure, FAILURE_USAGE, "log %s: '%s' is one argument too many",
                           operands[0], operands[takes ? 2 : 1]);
    if (count == 1)
        return 0;
    (void)snprintf(name, sizeof(name), "log %s", operands[0]);
    return command_number(name, operands[1], 1, INT64_MAX, &config->attempt, failure);
}

static int take_operands(void *context, int count, char **operands, struct failure *failure)
{
    struct config *config = context;
    static const char *const actions[] = {"list",   "show",   "events", "verify",
                                          "eeprom", "settle", NULL};
    if (count == 0)
        return failure_set(failure, FAILURE_USAGE,
                           "log: say list, show, events, verify, eeprom or settle");
    int action = 0;
    if (command_choice("log", operands[0], actions, &action, failure) != 0)
        return -1;
    config->action = (enum log_action)action;
    const struct log_list_options *list = &config->list;
    if (config->action != LOG_LIST &&
        (list->lot != NULL || list->verdict != NULL || list->site != 0))
        return failure_set(failure, FAILURE_USAGE,
                           "log %s: --lot, --verdict and --site are for list", operands[0]);
    if (config->action != LOG_LIST && config->action != LOG_EVENTS && list->last != 0)
        return failure_set(failure, FAILURE_USAGE, "log %s: --last is for list and events",
                           operands[0]);
    if (config->action != LOG_EEPROM && config->output != NULL)
        return failure_set(failure, FAILURE_USAGE, "log %s: --output is for eeprom", operands[0]);
    if (config->action != LOG_VERIFY && config->head != NULL)
        return failure_set(failure, FAILURE_USAGE, "log %s: --head is for verify", operands[0]);
    return take_attempt(config, count, operands, failure);
}

/* The number of the last attempt, from the list's line about it; 0 when there is none. */
static int find_last(struct log_reader *reader, int64_t *attempt, struct failure *failure)
{
    static const char key[] = "\"attempt\":";
    const struct log_list_options last = {.last = 1, .json = true};
    char *line = NULL;
    size_t bytes = 0;
    *attempt = 0;
    FILE *out = open_memstream(&line, &bytes);
    if (out == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    int result = log_reader_list(reader, &last, out, failure);
    if (fclose(out) != 0 && result == 0)
        result = failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    const char *found = result == 0 ? strstr(line, key) : NULL;
    if (found != NULL)
        *attempt = strtoll(found + strlen(key), NULL, 10);
    free(line);
    return result;
}

static int show(const struct config *config, struct log_reader *reader, struct failure *failure)
{
    int64_t attempt = config->attempt;
    if (attempt == 0 && find_last(reader, &attempt, failure) != 0)
        return -1;
    if (attempt == 0)
        return failure_set(failure, FAILURE_USAGE, "log show: the log has no attempts yet");
    return log_reader_show(reader, attempt, config->list.json, stdout, failure);
}

/* Nothing has failed, so nobody is to set boards aside for it. */
static int check_there(const char *path, struct failure *failure)
{
    if (access(path, F_OK) == 0 || errno != ENOENT)
        return 0;
    return failure_set(failure, FAILURE_USAGE, "log: there is no %s; --log names another log",
                       path);
}

static int read_log(const struct config *config, const char *path, struct failure *failure)
{
    struct log_reader *reader = NULL;
    if (config->action == LOG_EEPROM)
        return saved_eeprom_write(path, config->attempt, config->output, failure);
    if (config->action == LOG_SETTLE)
        return saved_eeprom_settle(path, config->attempt, failure);
    if (log_reader_open(path, &reader, failure) != 0)
        return -1;
    int result = -1;
    switch (config->action) {
    case LOG_LIST:
        result = log_reader_list(reader, &config->list, stdout, failure);
        break;
    case LOG_SHOW:
        result = show(config, reader, failure);
        break;
    case LOG_EVENTS:
        result = log_reader_events(reader, config->list.last, config->list.json, stdout, failure);
        break;
    default: /* LOG_VERIFY */
        result = log_reader_verify(reader, config->head, config->list.json, stdout, failure);
        break;
    }
    log_reader_close(reader);
    return result;
}

static int run(const void *context, struct failure *failure)
{
    const struct config *config = context;
    char *path = NULL;
    int result = data_paths_log(config->log, &path, failure);
    if (result == 0)
        result = check_there(path, failure);
    if (result == 0)
        result = read_log(config, path, failure);
    free(path);
    return result;
}

const struct command command_log = {
    .name = "log",
    .usage = "list|show [ATTEMPT]|events|verify|eeprom ATTEMPT|settle ATTEMPT [OPTION]...",
    .summary = "list, show or verify what is in the log",
    .details = "list prints one line per attempt, oldest first. show prints all that is known of\n"
               "one attempt: its row, its fuses byte by byte, its steps; without a number, of the\n"
               "last one. events prints what is no attempt, such as runs and programmers that\n"
               "were replaced. verify follows the chain of hashes through all rows.\n"
               "Rows cut off at the end it misses only where it is given a head noted earlier.\n"
               "eeprom gives, as Intel HEX, what a board's EEPROM held before an attempt cleared\n"
               "it: an attempt that failed before it was put back names it. Meanwhile blank\n"
               "boards of that part are refused where a profile keeps the EEPROM; settle ends\n"
               "that, when it was put back by other means or its board will not come again.",
    .options = options,
    .config_bytes = sizeof(struct config),
    .take_operands = take_operands,
    .run = run,
};
