/* An image file of any format that we read, as memories: the one way in for profiles and commands.
 */
#ifndef PROFILES_IMAGE_FILE_H
#define PROFILES_IMAGE_FILE_H

#include "profiles/image_memories.h"

#define IMAGE_FILE_BYTES_MAX (16 * 1024 * 1024)

enum image_format {
    IMAGE_FORMAT_AUTO, /* by content; never a raw binary */
    IMAGE_FORMAT_HEX,
    IMAGE_FORMAT_ELF,
    IMAGE_FORMAT_SREC,
    IMAGE_FORMAT_BIN,
    IMAGE_FORMAT_COUNT
};

/* "auto", "hex", "elf", "srec", "bin", NULL. */
extern const char *const image_format_names[IMAGE_FORMAT_COUNT + 1];
/* "Intel HEX", … for people. */
const char *image_format_title(enum image_format format);

/* What is wanted of a file. */
struct image_request {
    const char *path;
    enum image_format format;
    bool has_address; /* of a raw binary, which has none of its own; given, AUTO may be one */
    uint32_t address;
    /* The file is named as an EEPROM's contents: where it has no bytes at 0x810000 and above, its
     * addresses are the EEPROM's (such files are made with --change-section-lma .eeprom=0). */
    bool for_eeprom;
};

struct image_file {
    enum image_format format; /* as found */
    char sha256[DIGEST_TEXT_BYTES];
    size_t bytes; /* of the file */
    struct image_memories *memories;
};

/* Loads the file for the part, or for any when it is NULL. Failures begin with the file's name.
 * FAILURE_IMAGE_UNREADABLE; FAILURE_IMAGE_UNKNOWN where it may be a raw binary, but no address is
 * given; FAILURE_IMAGE_INVALID and others for what is in it. The caller frees with
 * image_file_free(), also after a failure. */
int image_file_load(const struct image_request *request, const struct part *part,
                    struct image_file *file, struct failure *failure);
/* The same from memory; request->path stands in the messages. */
int image_file_parse(const struct image_request *request, const void *bytes, size_t count,
                     const struct part *part, struct image_file *file, struct failure *failure);
void image_file_free(struct image_file *file);

#endif
