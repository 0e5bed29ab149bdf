#include "profiles/image_file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/elf_image.h"
#include "profiles/intel_hex.h"
#include "profiles/s_record.h"
#include "profiles/text_file.h"

const char *const image_format_names[IMAGE_FORMAT_COUNT + 1] = {"auto", "hex", "elf",
                                                                "srec", "bin", NULL};

const char *image_format_title(enum image_format format)
{
    static const char *const titles[IMAGE_FORMAT_COUNT] = {"found by content", "Intel HEX", "ELF",
                                                           "Motorola S-record", "raw binary"};

    return titles[format];
}

/* ---- which format ---- */

/* What the first bytes say; AUTO: nothing that we know. */
static enum image_format look(const char *bytes, size_t count)
{
    size_t at = 0;

    if (count >= 4 && memcmp(bytes, "\177ELF", 4) == 0)
        return IMAGE_FORMAT_ELF;
    while (at < count && (bytes[at] == '\n' || bytes[at] == '\r'))
        at++;
    if (at < count && bytes[at] == ':')
        return IMAGE_FORMAT_HEX;
    if (at + 1 < count && bytes[at] == 'S' && isdigit((unsigned char)bytes[at + 1]))
        return IMAGE_FORMAT_SREC;
    return IMAGE_FORMAT_AUTO;
}

static int refuse(const struct image_request *request, struct failure *failure, const char *text)
{
    return failure_set(failure, FAILURE_IMAGE_INVALID, "%s:1: %s",
                       text_file_shown_path(request->path), text);
}

static int refuse_unknown(const struct image_request *request, const char *bytes, size_t count,
                          struct failure *failure)
{
    const unsigned char first = count > 0 ? (unsigned char)bytes[0] : 0;
    const unsigned char second = count > 1 ? (unsigned char)bytes[1] : 0;

    if (count == 0)
        return refuse(request, failure, "the file is empty");
    return failure_set(failure, FAILURE_IMAGE_UNKNOWN,
                       "%s:1: begins with the bytes %02X %02X: neither Intel HEX (':'), S-record "
                       "('S') nor ELF; a raw binary is never guessed, it needs an address",
                       text_file_shown_path(request->path), first, second);
}

static int find_format(const struct image_request *request, const char *bytes, size_t count,
                       enum image_format *format, struct failure *failure)
{
    *format = request->format;
    if (*format == IMAGE_FORMAT_AUTO)
        *format = look(bytes, count);
    if (*format == IMAGE_FORMAT_AUTO && request->has_address && count > 0)
        *format = IMAGE_FORMAT_BIN;
    if (*format == IMAGE_FORMAT_AUTO)
        return refuse_unknown(request, bytes, count, failure);
    if (*format == IMAGE_FORMAT_BIN && !request->has_address)
        return failure_set(failure, FAILURE_IMAGE_UNKNOWN,
                           "%s:1: a raw binary needs the address at which it belongs",
                           text_file_shown_path(request->path));
    if (*format != IMAGE_FORMAT_BIN && request->has_address)
        return failure_set(failure, FAILURE_IMAGE_INVALID,
                           "%s:1: is %s, which has addresses of its own: only a raw binary (format "
                           "bin) is given one",
                           text_file_shown_path(request->path), image_format_title(*format));
    return 0;
}

/* ---- what is in it ---- */

static int put_binary(const struct image_request *request, const char *bytes, size_t count,
                      struct image_memories *memories, struct failure *failure)
{
    const char *shown = text_file_shown_path(request->path);

    if ((uint64_t)request->address + count > UINT32_MAX)
        return failure_set(failure, FAILURE_IMAGE_OUT_OF_RANGE,
                           "%s: the bytes reach beyond 32-bit addresses", shown);
    return image_memories_put(memories, request->address, (const uint8_t *)bytes, count, shown,
                              failure);
}

static int read_format(const struct image_request *request, enum image_format format,
                       const char *bytes, size_t count, struct image_memories *memories,
                       struct failure *failure)
{
    switch (format) {
    case IMAGE_FORMAT_ELF:
        return elf_image_parse(request->path, bytes, count, memories, failure);
    case IMAGE_FORMAT_SREC:
        return s_record_parse(request->path, bytes, count, memories, failure);
    case IMAGE_FORMAT_BIN:
        return put_binary(request, bytes, count, memories, failure);
    default:
        return intel_hex_parse(request->path, bytes, count, memories, failure);
    }
}

static int read_memories(const struct image_request *request, enum image_format format,
                         const char *bytes, size_t count, const struct part *part,
                         enum image_memory plain, struct image_file *file, struct failure *failure)
{
    file->memories = image_memories_create(part, plain);
    if (!file->memories)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory", request->path);
    return read_format(request, format, bytes, count, file->memories, failure);
}

/* Whose addresses those below 0x800000 are. An ELF file, and any with bytes at 0x810000 and above,
 * tells its memories apart by address. */
static enum image_memory plain_memory(const struct image_request *request, enum image_format format,
                                      const char *bytes, size_t count)
{
    struct image_file trial = {0};
    enum image_memory plain = IMAGE_EEPROM;

    if (!request->for_eeprom || format == IMAGE_FORMAT_ELF)
        return IMAGE_FLASH;
    if (read_memories(request, format, bytes, count, NULL, IMAGE_FLASH, &trial, NULL) == 0)
        for (enum image_memory memory = IMAGE_EEPROM; memory < IMAGE_MEMORY_COUNT; memory++)
            if (trial.memories->images[memory]->count > 0)
                plain = IMAGE_FLASH;
    image_file_free(&trial);
    return plain;
}

int image_file_parse(const struct image_request *request, const void *bytes, size_t count,
                     const struct part *part, struct image_file *file, struct failure *failure)
{
    uint8_t digest[DIGEST_BYTES];
    enum image_memory plain;

    *file = (struct image_file){.bytes = count};
    digest_of(bytes, count, digest);
    digest_to_text(digest, file->sha256);
    if (count > IMAGE_FILE_BYTES_MAX)
        return refuse(request, failure, "the file is too large");
    if (find_format(request, bytes, count, &file->format, failure) != 0)
        return -1;
    plain = plain_memory(request, file->format, bytes, count);
    return read_memories(request, file->format, bytes, count, part, plain, file, failure);
}

int image_file_load(const struct image_request *request, const struct part *part,
                    struct image_file *file, struct failure *failure)
{
    char *bytes = NULL;
    size_t count = 0;
    int result;

    *file = (struct image_file){0};
    if (text_file_read(request->path, IMAGE_FILE_BYTES_MAX, FAILURE_IMAGE_UNREADABLE, &bytes,
                       &count, failure) != 0)
        return -1;
    result = image_file_parse(request, bytes, count, part, file, failure);
    free(bytes);
    return result;
}

void image_file_free(struct image_file *file)
{
    image_memories_free(file->memories);
    file->memories = NULL;
}
