/* Shared by the files that make up the part reader: not for others. */
#ifndef PROFILES_PART_READER_H
#define PROFILES_PART_READER_H

#include "profiles/document.h"
#include "profiles/part.h"

/* A part file under way. */
struct part_reader {
    const struct document *document;
    struct part *part;
    struct failure *failure;
};

/* `isp_read` and `isp_write` of a fuse's or the lock byte's mapping; where they are not given, the
 * standard instructions. */
int part_read_instructions(struct part_reader *reader, const struct document_node *map,
                           enum part_memory memory);
/* Once all of the part is read: can its instructions be told apart, and do they carry every bit? */
int part_check_instructions(struct part_reader *reader, const struct document_node *root);

/* Once all of the part is read: what every AVR keeps (part_rules.c). */
int part_check_rules(struct part_reader *reader, const struct document_node *root);

/* The whole part. The caller frees. */
int part_from_document(const struct document *document, struct part **part,
                       struct failure *failure);

#endif
