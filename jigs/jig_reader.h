/* Shared by the readers of jig files: jig.c (sites, contact), jig_layout.c, jig_bench.c (the
 * simulated bench), jig_found.c and jig_fault.c. */
#ifndef JIGS_JIG_READER_H
#define JIGS_JIG_READER_H

#include "jigs/jig.h"
#include "profiles/document.h"

struct jig_reader {
    struct jig *jig;
    const struct document *document;
    struct failure *failure;
};

/* An optional number: `*value` stays where the key is absent. */
int jig_read_integer(struct jig_reader *reader, const struct document_node *map, const char *key,
                     int64_t minimum, int64_t maximum, int64_t *value);
/* An optional duration of at most `maximum_us`. */
int jig_read_duration(struct jig_reader *reader, const struct document_node *map, const char *key,
                      int64_t maximum_us, int64_t *duration_us);
/* One line of text that fits into the field. */
int jig_read_text(struct jig_reader *reader, const struct document_node *node, char *field,
                  size_t field_bytes);

/* A clock: "16 MHz", "32768 Hz", "7.3728 MHz". */
int jig_read_frequency(struct jig_reader *reader, const struct document_node *node, int64_t *hz);

/* `bench:`; before the sites. */
int jig_read_bench(struct jig_reader *reader, const struct document_node *root);
/* `faults:`; after the sites. */
int jig_read_faults(struct jig_reader *reader, const struct document_node *root);
/* `layout:`; after the sites. */
int jig_read_layout(struct jig_reader *reader, const struct document_node *root);
/* What a site has on a simulated bench instead of `at:`. */
int jig_read_simulated_site(struct jig_reader *reader, const struct document_node *map,
                            struct jig_site *site);
/* `found:` of such a site. */
int jig_read_found(struct jig_reader *reader, const struct document_node *map,
                   struct jig_site *site);
void jig_free_found(struct jig_found *found);

/* Does the part call this fuse or lock byte so? `fuse` is the name of a part's only one, and only
 * such a part has it. */
bool jig_part_has_byte(const struct part *part, enum part_memory memory, bool is_only_fuse);
/* "low, high, lock": what it has, for messages. */
void jig_list_bytes(const struct part *part, char *text, size_t text_bytes);

#endif
