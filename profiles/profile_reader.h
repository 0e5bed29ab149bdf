/* Between the files that read a profile: profile.c, profile_fuses.c, profile_images.c,
 * profile_risks.c. Private. */
#ifndef PROFILES_PROFILE_READER_H
#define PROFILES_PROFILE_READER_H

#include "profiles/document.h"
#include "profiles/profile.h"

/* A profile under way. */
struct profile_reader {
    const struct document *document;
    const char *parts_directory;
    struct profile *profile;
    struct failure *failure;
};

/* Copies a scalar into a fixed field of the profile: text that is too long, or could not be shown
 * on a terminal, is refused. */
int profile_read_text(struct profile_reader *reader, const struct document_node *node, char *field,
                      size_t field_bytes);

/* The same for a `because`, which holds a letter or a digit. */
int profile_read_reason(struct profile_reader *reader, const struct document_node *node,
                        char *field, size_t field_bytes);

struct profile_position profile_position_of(const struct document_node *node);

/* `fuses:` and `lock:`. The part is loaded already. */
int profile_read_fuses(struct profile_reader *reader, const struct document_node *root);
/* `accept_risk:`. */
int profile_read_risks(struct profile_reader *reader, const struct document_node *root);
/* `images:` and `eeprom:`. */
int profile_read_images(struct profile_reader *reader, const struct document_node *root);

#endif
