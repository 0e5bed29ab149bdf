/* ELF programs, made here byte by byte: what is loaded where, and every kind of damage refused. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/elf_image.h"

#define SEGMENTS 6
#define SECTIONS 9

/* A file as avr-ld writes it: header, segments, contents, names, sections. */
struct elf {
    Elf32_Ehdr header;
    Elf32_Phdr segments[SEGMENTS];
    char contents[64];
    char names[80];
    Elf32_Shdr sections[SECTIONS];
};

static const struct part part = {
    .flash.size = 0x8000,
    .eeprom.size = 0x400,
    .bytes = {{.exists = true}, {.exists = true}, {.exists = true}, {.exists = true}}};

enum { TEXT = 1, DATA, BSS, EEPROM, FUSE, LOCK, COMMENT, NAMES };

static const struct row {
    const char *name;
    uint32_t type, flags, virtual, load;
    const char *contents;
    uint32_t bytes;
    int segment; /* -1: none */
} rows[SECTIONS] = {
    [TEXT] = {".text", SHT_PROGBITS, SHF_ALLOC, 0, 0, "program", 7, 0},
    [DATA] = {".data", SHT_PROGBITS, SHF_ALLOC, 0x800100, 7, "data", 4, 1},
    [BSS] = {".bss", SHT_NOBITS, SHF_ALLOC, 0x800104, 0x800104, "", 10, 2},
    [EEPROM] = {".eeprom", SHT_PROGBITS, SHF_ALLOC, 0x810000, 0x810000, "ee", 2, 3},
    [FUSE] = {".fuse", SHT_PROGBITS, SHF_ALLOC, 0x820000, 0x820000, "\xE2\xD9\xFD", 3, 4},
    [LOCK] = {".lock", SHT_PROGBITS, SHF_ALLOC, 0x830000, 0x830000, "\xCF", 1, 5},
    [COMMENT] = {".comment", SHT_PROGBITS, 0, 0, 0, "GCC", 3, -1},
    [NAMES] = {".shstrtab", SHT_STRTAB, 0, 0, 0, NULL, 0, -1},
};

static void add_row(struct elf *elf, int i, uint32_t *at, uint32_t *name)
{
    const struct row *row = &rows[i];
    Elf32_Shdr *section = &elf->sections[i];

    *section = (Elf32_Shdr){.sh_name = *name,
                            .sh_type = row->type,
                            .sh_flags = row->flags,
                            .sh_addr = row->virtual,
                            .sh_offset = (uint32_t)offsetof(struct elf, contents) + *at,
                            .sh_size = row->bytes};
    strcpy(elf->names + *name, row->name);
    *name += (uint32_t)strlen(row->name) + 1;
    if (i == NAMES) {
        section->sh_offset = offsetof(struct elf, names);
        section->sh_size = sizeof(elf->names);
        return;
    }
    if (row->segment >= 0)
        elf->segments[row->segment] =
            (Elf32_Phdr){.p_type = PT_LOAD,
                         .p_offset = section->sh_offset,
                         .p_vaddr = row->virtual,
                         .p_paddr = row->load,
                         .p_filesz = row->type == SHT_NOBITS ? 0 : row->bytes,
                         .p_memsz = row->bytes};
    if (row->type == SHT_NOBITS)
        return;
    memcpy(elf->contents + *at, row->contents, row->bytes);
    *at += row->bytes;
}

static struct elf make(void)
{
    struct elf elf = {
        .header = {.e_ident = {0x7F, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = EM_AVR,
                   .e_version = EV_CURRENT,
                   .e_entry = 0x1234,
                   .e_phoff = offsetof(struct elf, segments),
                   .e_shoff = offsetof(struct elf, sections),
                   .e_ehsize = sizeof(Elf32_Ehdr),
                   .e_phentsize = sizeof(Elf32_Phdr),
                   .e_phnum = SEGMENTS,
                   .e_shentsize = sizeof(Elf32_Shdr),
                   .e_shnum = SECTIONS,
                   .e_shstrndx = NAMES},
    };
    uint32_t at = 0, name = 1;

    for (int i = 1; i < SECTIONS; i++)
        add_row(&elf, i, &at, &name);
    return elf;
}

/* NULL after a failure. */
static struct image_memories *parse(const void *bytes, size_t count, struct failure *failure)
{
    struct image_memories *memories = image_memories_create(&part, IMAGE_FLASH);

    assert_non_null(memories);
    if (elf_image_parse("a.elf", bytes, count, memories, failure) == 0)
        return memories;
    image_memories_free(memories);
    return NULL;
}

static struct image_memories *parse_good(const struct elf *elf)
{
    struct failure failure = {0};
    struct image_memories *memories = parse(elf, sizeof(*elf), &failure);

    if (!memories)
        fail_msg("%s", failure.detail);
    return memories;
}

static void assert_holds(const struct image_memories *memories, enum image_memory memory,
                         const char *bytes)
{
    const struct image *image = memories->images[memory];

    assert_int_equal(image->count, strlen(bytes));
    assert_memory_equal(image->data, bytes, strlen(bytes));
}

/* .data behind .text, .bss and .comment nowhere. */
static void test_program(void **state)
{
    struct elf elf = make();
    struct image_memories *memories = parse_good(&elf);

    (void)state;
    assert_holds(memories, IMAGE_FLASH, "programdata");
    assert_holds(memories, IMAGE_EEPROM, "ee");
    assert_holds(memories, IMAGE_FUSES, "\xE2\xD9\xFD");
    assert_holds(memories, IMAGE_LOCK, "\xCF");
    assert_int_equal(memories->images[IMAGE_SIGNATURE]->count, 0);
    assert_true(memories->has_start);
    assert_int_equal(memories->start, 0x1234);
    image_memories_free(memories);
}

/* Without its section table a program loads the same. */
static void test_stripped(void **state)
{
    struct elf elf = make();
    struct image_memories *memories;

    (void)state;
    elf.header.e_shoff = elf.header.e_shnum = elf.header.e_shstrndx = 0;
    memories = parse_good(&elf);
    assert_holds(memories, IMAGE_FLASH, "programdata");
    assert_holds(memories, IMAGE_EEPROM, "ee");
    image_memories_free(memories);
}

/* A linker may make one segment of all, headers and padding included: only the sections' bytes are
 * the program's. */
static void test_padding_is_left_out(void **state)
{
    struct elf elf = make();
    struct image_memories *memories;
    const uint32_t text = elf.sections[TEXT].sh_offset;

    (void)state;
    elf.segments[0] = (Elf32_Phdr){
        .p_type = PT_LOAD, .p_paddr = 0x1000 - text, .p_filesz = text + 11, .p_memsz = text + 11};
    elf.segments[1].p_filesz = 0;
    elf.sections[TEXT].sh_size = 5; /* two bytes of padding before .data */
    memories = parse_good(&elf);
    assert_int_equal(memories->images[IMAGE_FLASH]->count, 9);
    assert_memory_equal(memories->images[IMAGE_FLASH]->data + 0x1000,
                        "progr\xFF\xFF"
                        "data",
                        11);
    image_memories_free(memories);
}

/* Tables need not stand where a processor would want them. */
static void test_odd_offsets(void **state)
{
    struct {
        struct elf elf;
        char more[sizeof(struct elf) + 1];
    } file = {.elf = make()};
    struct image_memories *memories;

    (void)state;
    memcpy(file.more + 1, &file.elf, sizeof(file.elf));
    file.elf.header.e_phoff += sizeof(file.elf) + 1;
    file.elf.header.e_shoff += sizeof(file.elf) + 1;
    memset(file.elf.segments, 0, sizeof(file.elf.segments));
    memories = parse(&file, sizeof(file), NULL);
    assert_non_null(memories);
    assert_holds(memories, IMAGE_FLASH, "programdata");
    image_memories_free(memories);
}

static void test_every_length(void **state)
{
    const struct elf elf = make();

    (void)state;
    for (size_t count = 0; count < sizeof(elf); count++) {
        struct failure failure = {0};

        assert_null(parse(&elf, count, &failure));
        assert_int_equal(failure.code, FAILURE_IMAGE_INVALID);
    }
}

/* ---- damage ---- */

static void set_class(struct elf *elf)
{
    elf->header.e_ident[EI_CLASS] = ELFCLASS64;
}

static void set_order(struct elf *elf)
{
    elf->header.e_ident[EI_DATA] = ELFDATA2MSB;
}

static void set_ident_version(struct elf *elf)
{
    elf->header.e_ident[EI_VERSION] = 2;
}

static void set_magic(struct elf *elf)
{
    elf->header.e_ident[1] = 'e';
}

static void set_machine(struct elf *elf)
{
    elf->header.e_machine = EM_ARM;
}

static void set_object(struct elf *elf)
{
    elf->header.e_type = ET_REL;
}

static void set_core(struct elf *elf)
{
    elf->header.e_type = ET_CORE;
}

static void set_no_segments(struct elf *elf)
{
    elf->header.e_phnum = 0;
}

static void set_many_segments(struct elf *elf)
{
    elf->header.e_phnum = 0xFFFF;
}

static void set_segment_rows(struct elf *elf)
{
    elf->header.e_phentsize = 56;
}

static void set_segment_table(struct elf *elf)
{
    elf->header.e_phoff = 0xFFFFFFF0;
}

static void set_segment_table_at_end(struct elf *elf)
{
    elf->header.e_phoff = sizeof(*elf) - sizeof(Elf32_Phdr);
}

static void set_many_sections(struct elf *elf)
{
    elf->header.e_shnum = 0xFF00;
}

static void set_sections_elsewhere(struct elf *elf)
{
    elf->header.e_shnum = 0;
    elf->sections[0].sh_size = 0x10000000;
}

static void set_section_rows(struct elf *elf)
{
    elf->header.e_shentsize = 4;
}

static void set_section_table(struct elf *elf)
{
    elf->header.e_shoff = sizeof(*elf);
}

static void set_segment_outside(struct elf *elf)
{
    elf->segments[1].p_offset = sizeof(*elf) - 3;
}

static void set_segment_huge(struct elf *elf)
{
    elf->segments[0].p_filesz = elf->segments[0].p_memsz = 0xFFFFFFFF;
}

static void set_segment_offset_huge(struct elf *elf)
{
    elf->segments[0].p_offset = 0xFFFFFFFF;
}

static void set_segment_small(struct elf *elf)
{
    elf->segments[0].p_memsz = 3;
}

static void set_overlap(struct elf *elf)
{
    elf->segments[1].p_paddr = 6;
}

static void set_overlap_of_stripped(struct elf *elf)
{
    set_overlap(elf);
    elf->header.e_shoff = elf->header.e_shnum = elf->header.e_shstrndx = 0;
}

static void set_in_ram(struct elf *elf)
{
    elf->segments[1].p_paddr = 0x800100;
}

static void set_user_row(struct elf *elf)
{
    elf->segments[1].p_paddr = 0x850000;
}

static void set_beyond_flash(struct elf *elf)
{
    elf->segments[1].p_paddr = 0x7FFE;
}

static void set_beyond_eeprom(struct elf *elf)
{
    elf->segments[3].p_paddr = 0x8103FF;
}

static void set_fourth_fuse(struct elf *elf)
{
    elf->segments[4].p_paddr = 0x820001;
}

static void set_beyond_addresses(struct elf *elf)
{
    elf->segments[1].p_paddr = 0xFFFFFFFE;
}

static void set_section_beyond_segment(struct elf *elf)
{
    elf->sections[TEXT].sh_size = 8;
}

static void set_section_huge(struct elf *elf)
{
    elf->sections[TEXT].sh_size = 0xFFFFFFFF;
}

static void set_section_not_loaded(struct elf *elf)
{
    elf->segments[1].p_type = PT_NOTE;
}

static void set_name_outside(struct elf *elf)
{
    elf->sections[DATA].sh_name = 0x7FFFFFFF;
    set_overlap(elf);
}

static void set_names_outside(struct elf *elf)
{
    elf->header.e_shstrndx = 0xFFFF;
    set_overlap(elf);
}

static const struct {
    void (*damage)(struct elf *elf);
    enum failure_code code;
    const char *text;
} refused[] = {
    {set_magic, FAILURE_IMAGE_INVALID, "a.elf: does not begin as ELF does"},
    {set_class, FAILURE_IMAGE_INVALID, "a.elf: is not a 32-bit ELF file"},
    {set_order, FAILURE_IMAGE_INVALID, "a.elf: is not a little-endian ELF file"},
    {set_ident_version, FAILURE_IMAGE_INVALID, "a.elf: has an unknown version"},
    {set_machine, FAILURE_IMAGE_INVALID, "a.elf: is for machine 40, expected 83 (AVR)"},
    {set_object, FAILURE_IMAGE_INVALID, "a.elf: is of ELF type 1, expected 2, a linked program; "},
    {set_core, FAILURE_IMAGE_INVALID, "a.elf: is of ELF type 4, expected 2"},
    {set_no_segments, FAILURE_IMAGE_INVALID, "a.elf: has no segments"},
    {set_many_segments, FAILURE_IMAGE_INVALID, "a.elf: has 65535 segments, expected at most 64"},
    {set_segment_rows, FAILURE_IMAGE_INVALID, "segments has rows of 56 bytes, expected 32"},
    {set_segment_table, FAILURE_IMAGE_INVALID, "cut off: its table of segments is at 0xFFFFFFF0"},
    {set_segment_table_at_end, FAILURE_IMAGE_INVALID, "a.elf: is cut off: its table of segments"},
    {set_many_sections, FAILURE_IMAGE_INVALID, "a.elf: has 65280 sections, expected at most"},
    {set_sections_elsewhere, FAILURE_IMAGE_INVALID, "a.elf: has too many sections"},
    {set_section_rows, FAILURE_IMAGE_INVALID, "sections has rows of 4 bytes, expected 40"},
    {set_section_table, FAILURE_IMAGE_INVALID, "a.elf: is cut off: its table of sections"},
    {set_segment_outside, FAILURE_IMAGE_INVALID, "a.elf, segment 1: its bytes"},
    {set_segment_huge, FAILURE_IMAGE_INVALID, "a.elf, segment 0: its bytes"},
    {set_segment_offset_huge, FAILURE_IMAGE_INVALID, "a.elf, segment 0: its bytes 0xFFFFFFFF to"},
    {set_segment_small, FAILURE_IMAGE_INVALID, "segment 0: has 0x7 bytes in the file, but only"},
    {set_overlap, FAILURE_IMAGE_OVERLAP,
     "a.elf, section .data: the byte at 0x0006 was given before"},
    {set_overlap_of_stripped, FAILURE_IMAGE_OVERLAP, "a.elf, segment 1: the byte at 0x0006"},
    {set_in_ram, FAILURE_IMAGE_OUT_OF_RANGE, "section .data: bytes 0x800100 to 0x800103: that is"},
    {set_user_row, FAILURE_IMAGE_OUT_OF_RANGE, "a.elf, section .data: bytes 0x850000 to 0x850003"},
    {set_beyond_flash, FAILURE_IMAGE_OUT_OF_RANGE,
     "a.elf, section .data: bytes 0x7FFE to 0x8001, expected below 0x8000"},
    {set_beyond_eeprom, FAILURE_IMAGE_OUT_OF_RANGE,
     "a.elf, section .eeprom, EEPROM: bytes 0x03FF to 0x0400, expected below 0x0400"},
    {set_fourth_fuse, FAILURE_IMAGE_OUT_OF_RANGE, "a.elf, section .fuse, fuses: bytes 0x0001 to"},
    {set_beyond_addresses, FAILURE_IMAGE_OUT_OF_RANGE, "section .data: the bytes reach beyond"},
    {set_section_beyond_segment, FAILURE_IMAGE_INVALID,
     "section .text: reaches beyond the segment"},
    {set_section_huge, FAILURE_IMAGE_INVALID, "section .text: reaches beyond the segment"},
    {set_section_not_loaded, FAILURE_IMAGE_INVALID, "a.elf, section .data: is in no segment"},
    {set_name_outside, FAILURE_IMAGE_OVERLAP, "a.elf, section without a name: the byte at"},
    {set_names_outside, FAILURE_IMAGE_OVERLAP, "a.elf, section without a name: the byte at"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct elf elf = make();
        struct failure failure = {0};

        refused[i].damage(&elf);
        if (parse(&elf, sizeof(elf), &failure))
            fail_msg("taken: %s", refused[i].text);
        if (failure.code != refused[i].code || !strstr(failure.detail, refused[i].text))
            fail_msg("found \"%s\", expected \"%s\"", failure.detail, refused[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_program),
        cmocka_unit_test(test_stripped),
        cmocka_unit_test(test_padding_is_left_out),
        cmocka_unit_test(test_odd_offsets),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
