/* A YAML file as a tree in which every node knows its line and column, read with libyaml and made
 * for files that people type: tabs, duplicate keys, anchors, aliases, tags and several documents
 * are refused, size and depth are bounded. All readers of profiles, parts and jigs use it, so all
 * their messages look alike: FILE:LINE:COLUMN: what was found, what was expected.
 * The only file that includes libyaml is document.c. */
#ifndef PROFILES_DOCUMENT_H
#define PROFILES_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/digest.h"
#include "reports/failure.h"

enum document_kind { DOCUMENT_SCALAR, DOCUMENT_SEQUENCE, DOCUMENT_MAPPING };

struct document_node;

struct document {
    char *path;
    enum failure_code code; /* the code its messages carry */
    char sha256[DIGEST_TEXT_BYTES];
    struct document_node *root;
    void *storage; /* private */
};

#define DOCUMENT_BYTES_MAX (1024 * 1024)

/* Loads `path`; all failures, also those of the readers below, carry `code`
 * (FAILURE_PROFILE_INVALID, …). The caller frees with document_free(). */
int document_load(const char *path, enum failure_code code, struct document **document,
                  struct failure *failure);
/* The same from memory; `name` stands in the messages. For fuzzing and tests. */
int document_parse(const char *name, const char *text, size_t bytes, enum failure_code code,
                   struct document **document, struct failure *failure);
void document_free(struct document *document);

enum document_kind document_node_kind(const struct document_node *node);
/* Where the node begins; both count from 1. */
void document_position(const struct document_node *node, int *line, int *column);

/* "FILE:LINE:COLUMN: " and the text, with the document's failure code; returns -1. */
int document_fail(const struct document *document, const struct document_node *node,
                  struct failure *failure, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with a failure code of its own. */
int document_fail_as(const struct document *document, const struct document_node *node,
                     enum failure_code code, struct failure *failure, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* A mapping's value by key, NULL if absent (or if `map` is no mapping). */
const struct document_node *document_find(const struct document_node *map, const char *key);
/* Like document_find(), but its absence is a failure that names the key. */
int document_need(const struct document *document, const struct document_node *map, const char *key,
                  const struct document_node **node, struct failure *failure);
/* Fails at the first key that is not in the NULL-ended `known` list, and names the nearest known
 * one. Also fails when `map` is no mapping. */
int document_check_keys(const struct document *document, const struct document_node *map,
                        const char *const known[], struct failure *failure);

/* Number of items of a sequence or pairs of a mapping; 0 for a scalar. */
size_t document_count(const struct document_node *node);
const struct document_node *document_item(const struct document_node *sequence, size_t index);
/* Key and value of the index-th pair of a mapping; the key node locates messages. */
const char *document_pair(const struct document_node *map, size_t index,
                          const struct document_node **key, const struct document_node **value);

/* Is it what YAML has for nothing: no value, ~ or null? */
bool document_is_nothing(const struct document_node *node);
/* The text of a scalar, owned by the document. Fails on anything else, and on nothing. */
int document_text(const struct document *document, const struct document_node *node,
                  const char **text, struct failure *failure);
/* Decimal or 0x…, within minimum…maximum; quoted scalars are not numbers. */
int document_integer(const struct document *document, const struct document_node *node,
                     int64_t minimum, int64_t maximum, int64_t *value, struct failure *failure);
/* A byte of a part, a fuse or lock byte above all: 0x…, or a decimal number that is nothing else in
 * hexadecimal; 62 is refused, and both bytes that it may be are named. */
int document_byte(const struct document *document, const struct document_node *node,
                  uint8_t minimum, uint8_t maximum, uint8_t *value, struct failure *failure);
/* true or false, written so. */
int document_boolean(const struct document *document, const struct document_node *node, bool *value,
                     struct failure *failure);
/* "1E 95 87", or a sequence as document_byte() has them: `count` bytes exactly. */
int document_bytes(const struct document *document, const struct document_node *node,
                   uint8_t *bytes, size_t count, struct failure *failure);
/* "400 ms", "2 s", "250 us" to microseconds. */
int document_duration(const struct document *document, const struct document_node *node,
                      int64_t *duration_us, struct failure *failure);
/* One of the NULL-ended names; receives its index. */
int document_choice(const struct document *document, const struct document_node *node,
                    const char *const names[], int *index, struct failure *failure);

/* The name in the NULL-ended list that is nearest to `text` in typing errors; NULL if none is near.
 * A quantity ("5 V") is near only to text with the same number. */
const char *document_nearest(const char *text, const char *const names[]);

#endif
