#include "profiles/elf_image.h"

#include <endian.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/text_file.h"

/* More than any linker makes for an AVR; it bounds the work that a hostile file can ask for. */
#define SEGMENTS_MAX 64
#define SECTIONS_MAX 4096
#define WHERE_BYTES 180

struct reader {
    const char *name;
    char *bytes; /* our own copy: aligned, and libelf wants it writable */
    size_t count;
    Elf *elf;
    struct image_memories *memories;
    struct failure *failure;
};

static int refuse(const struct reader *reader, const char *text)
{
    return failure_set(reader->failure, FAILURE_IMAGE_INVALID, "%s: %s",
                       text_file_shown_path(reader->name), text);
}

static int refuse_library(const struct reader *reader, const char *what)
{
    char text[160];

    snprintf(text, sizeof(text), "%s cannot be read: %s", what, elf_errmsg(-1));
    return refuse(reader, text);
}

static bool is_within_file(const struct reader *reader, uint64_t offset, uint64_t bytes)
{
    return offset <= reader->count && bytes <= reader->count - offset;
}

/* ---- the header, before libelf sees the file ---- */

static int check_kind(const struct reader *reader, const Elf32_Ehdr *header)
{
    char text[160];

    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return refuse(reader, "does not begin as ELF does");
    if (header->e_ident[EI_CLASS] != ELFCLASS32)
        return refuse(reader, "is not a 32-bit ELF file; those for AVR are");
    if (header->e_ident[EI_DATA] != ELFDATA2LSB)
        return refuse(reader, "is not a little-endian ELF file; those for AVR are");
    if (header->e_ident[EI_VERSION] != EV_CURRENT || le32toh(header->e_version) != EV_CURRENT)
        return refuse(reader, "has an unknown version of ELF");
    if (le16toh(header->e_machine) != EM_AVR) {
        snprintf(text, sizeof(text), "is for machine %u, expected %u (AVR)",
                 le16toh(header->e_machine), EM_AVR);
        return refuse(reader, text);
    }
    if (le16toh(header->e_type) == ET_EXEC)
        return 0;
    snprintf(text, sizeof(text), "is of ELF type %u, expected 2, a linked program%s",
             le16toh(header->e_type),
             le16toh(header->e_type) == ET_REL ? "; this is an object file" : "");
    return refuse(reader, text);
}

/* A table of the file: as many rows as we would ever want, of the right size, all in the file. */
static int check_table(const struct reader *reader, const char *what, uint32_t offset,
                       unsigned rows, unsigned rows_max, unsigned row_bytes, size_t row_expected)
{
    char text[160];

    if (rows > rows_max)
        snprintf(text, sizeof(text), "has %u %s, expected at most %u", rows, what, rows_max);
    else if (rows > 0 && row_bytes != row_expected)
        snprintf(text, sizeof(text), "its table of %s has rows of %u bytes, expected %zu", what,
                 row_bytes, row_expected);
    else if (!is_within_file(reader, offset, (uint64_t)rows * row_bytes))
        snprintf(text, sizeof(text),
                 "is cut off: its table of %s is at 0x%X, the file has 0x%zX bytes", what, offset,
                 reader->count);
    else
        return 0;
    return refuse(reader, text);
}

static int check_header(const struct reader *reader)
{
    Elf32_Ehdr header;
    char text[100];

    if (reader->count < sizeof(header)) {
        snprintf(text, sizeof(text), "is cut off: it has %zu bytes, the header of ELF has %zu",
                 reader->count, sizeof(header));
        return refuse(reader, text);
    }
    memcpy(&header, reader->bytes, sizeof(header));
    if (check_kind(reader, &header) != 0 ||
        check_table(reader, "segments", le32toh(header.e_phoff), le16toh(header.e_phnum),
                    SEGMENTS_MAX, le16toh(header.e_phentsize), sizeof(Elf32_Phdr)) != 0 ||
        check_table(reader, "sections", le32toh(header.e_shoff), le16toh(header.e_shnum),
                    SECTIONS_MAX, le16toh(header.e_shentsize), sizeof(Elf32_Shdr)) != 0)
        return -1;
    if (header.e_phnum == 0)
        return refuse(reader, "has no segments: nothing of it would be loaded");
    /* ELF keeps numbers that are too large for the header in section 0: then no section is counted
     * here, but there is a table. */
    if (header.e_shnum == 0 && header.e_shoff != 0)
        return refuse(reader, "has too many sections");
    return 0;
}

/* ---- sections and segments ---- */

static bool is_loaded(const GElf_Phdr *segment)
{
    return segment->p_type == PT_LOAD && segment->p_filesz > 0;
}

static bool has_contents(const GElf_Shdr *section)
{
    return (section->sh_flags & SHF_ALLOC) && section->sh_type != SHT_NOBITS &&
           section->sh_type != SHT_NULL && section->sh_size > 0;
}

static bool begins_within(const GElf_Shdr *section, const GElf_Phdr *segment)
{
    return section->sh_offset >= segment->p_offset &&
           section->sh_offset - segment->p_offset < segment->p_filesz;
}

static const char *section_name(const struct reader *reader, const GElf_Shdr *section)
{
    size_t index = 0;
    const char *name = NULL;

    if (elf_getshdrstrndx(reader->elf, &index) == 0)
        name = elf_strptr(reader->elf, index, section->sh_name);
    return name && name[0] ? name : "without a name";
}

static int put(struct reader *reader, uint64_t offset, uint64_t bytes, uint64_t address,
               const char *where)
{
    if (address + bytes > UINT32_MAX)
        return failure_set(reader->failure, FAILURE_IMAGE_OUT_OF_RANGE,
                           "%s: the bytes reach beyond 32-bit addresses", where);
    return image_memories_put(reader->memories, (uint32_t)address,
                              (const uint8_t *)reader->bytes + offset, bytes, where,
                              reader->failure);
}

static int put_section(struct reader *reader, const GElf_Shdr *section, const GElf_Phdr *segment)
{
    uint64_t distance = section->sh_offset - segment->p_offset;
    char where[WHERE_BYTES];

    snprintf(where, sizeof(where), "%s, section %.40s", text_file_shown_path(reader->name),
             section_name(reader, section));
    if (section->sh_size > segment->p_filesz - distance)
        return failure_set(reader->failure, FAILURE_IMAGE_INVALID,
                           "%s: reaches beyond the segment that loads it", where);
    return put(reader, section->sh_offset, section->sh_size, segment->p_paddr + distance, where);
}

/* What lies between the sections of a segment is the linker's padding, or the file's own headers:
 * nothing that the program asks for. A segment without sections, as in a file whose section table
 * was stripped, is taken whole. */
static int put_segment(struct reader *reader, const GElf_Phdr *segment, size_t number)
{
    Elf_Scn *scan = NULL;
    bool has_sections = false;
    char where[WHERE_BYTES];

    snprintf(where, sizeof(where), "%s, segment %zu", text_file_shown_path(reader->name), number);
    if (!is_within_file(reader, segment->p_offset, segment->p_filesz))
        return failure_set(
            reader->failure, FAILURE_IMAGE_INVALID,
            "%s: its bytes 0x%llX to 0x%llX are not all in the file, which has 0x%zX", where,
            (unsigned long long)segment->p_offset,
            (unsigned long long)(segment->p_offset + segment->p_filesz - 1), reader->count);
    if (segment->p_memsz < segment->p_filesz)
        return failure_set(reader->failure, FAILURE_IMAGE_INVALID,
                           "%s: has 0x%llX bytes in the file, but only 0x%llX in memory", where,
                           (unsigned long long)segment->p_filesz,
                           (unsigned long long)segment->p_memsz);
    while ((scan = elf_nextscn(reader->elf, scan)) != NULL) {
        GElf_Shdr section;

        if (!gelf_getshdr(scan, &section))
            return refuse_library(reader, "the table of sections");
        if (!has_contents(&section) || !begins_within(&section, segment))
            continue;
        has_sections = true;
        if (put_section(reader, &section, segment) != 0)
            return -1;
    }
    if (has_sections)
        return 0;
    return put(reader, segment->p_offset, segment->p_filesz, segment->p_paddr, where);
}

static bool is_loaded_by_any(const GElf_Shdr *section, const GElf_Phdr segments[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_loaded(&segments[i]) && begins_within(section, &segments[i]))
            return true;
    return false;
}

/* Contents that no segment loads would be missing on the board, without a word. */
static int check_all_loaded(struct reader *reader, const GElf_Phdr segments[], size_t count)
{
    Elf_Scn *scan = NULL;

    while ((scan = elf_nextscn(reader->elf, scan)) != NULL) {
        GElf_Shdr section;

        if (!gelf_getshdr(scan, &section))
            return refuse_library(reader, "the table of sections");
        if (has_contents(&section) && !is_loaded_by_any(&section, segments, count))
            return failure_set(reader->failure, FAILURE_IMAGE_INVALID,
                               "%s, section %.40s: is in no segment: nothing would load it",
                               text_file_shown_path(reader->name), section_name(reader, &section));
    }
    return 0;
}

static int read_program(struct reader *reader)
{
    GElf_Ehdr header;
    GElf_Phdr segments[SEGMENTS_MAX];
    size_t count = 0;

    if (!gelf_getehdr(reader->elf, &header) || elf_getphdrnum(reader->elf, &count) != 0)
        return refuse_library(reader, "the header");
    if (count > SEGMENTS_MAX)
        return refuse(reader, "has too many segments");
    for (size_t i = 0; i < count; i++)
        if (!gelf_getphdr(reader->elf, (int)i, &segments[i]))
            return refuse_library(reader, "the table of segments");
    for (size_t i = 0; i < count; i++)
        if (is_loaded(&segments[i]) && put_segment(reader, &segments[i], i) != 0)
            return -1;
    reader->memories->has_start = true;
    reader->memories->start = (uint32_t)header.e_entry;
    return check_all_loaded(reader, segments, count);
}

int elf_image_parse(const char *name, const void *bytes, size_t count,
                    struct image_memories *memories, struct failure *failure)
{
    struct reader reader = {.name = name, .count = count, .memories = memories, .failure = failure};
    int result = -1;

    reader.bytes = malloc(count + 1);
    if (!reader.bytes)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "%s: out of memory", name);
    memcpy(reader.bytes, bytes, count);
    if (check_header(&reader) == 0) {
        (void)elf_version(EV_CURRENT); /* libelf answers nothing before it was told */
        reader.elf = elf_memory(reader.bytes, count);
        result = reader.elf ? read_program(&reader) : refuse_library(&reader, "the file");
        elf_end(reader.elf); /* takes NULL, too */
    }
    free(reader.bytes);
    return result;
}
